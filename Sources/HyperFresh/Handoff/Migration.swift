import Guests
import JSON
import Handoff
import QMP
import Synchronization

/// The migration settings of two QEMUs for a handoff, and their earlier settings.
final class Migration: Sendable {
    private struct State {
        var new: QMPClient?
        var oldSettings: MigrationLink.Settings?
        var newSettings: MigrationLink.Settings?
        /// All capabilities of the old side, as they were before.
        var oldCapabilities: [String: Bool] = [:]
        var guestRuns = false
        var guestSwitch: GuestSwitch?
    }

    /// The old QEMU's monitor.
    let old: QMPClient
    private let state = Mutex(State())

    init(old: QMPClient) { self.old = old }

    /// The new QEMU's monitor, once it answers.
    var new: QMPClient? {
        get { state.withLock { $0.new } }
        set { state.withLock { $0.new = newValue } }
    }

    /// The switch, once the two are linked.
    var guestSwitch: GuestSwitch? {
        get { state.withLock { $0.guestSwitch } }
        set { state.withLock { $0.guestSwitch = newValue } }
    }

    /// Whether the guest ran when the two were linked.
    var guestRuns: Bool { state.withLock { $0.guestRuns } }

    /// Sets the capabilities and parameters that a handoff needs on both sides.
    ///
    /// Records the earlier settings for recovery: a QEMU that keeps `x-ignore-shared` would lose its guest's memory in
    /// the next ordinary migration to another host.
    func agree(recordingIn journal: HandoffJournal) async throws {
        guard let new else { return }
        let capabilities = try await old.execute(QueryMigrateCapabilities())
        let oldSettings = try await MigrationLink.inspect(old)
        let newSettings = try await MigrationLink.inspect(new)
        try journal.append(.launched, facts: ["restore_old": oldSettings.json, "restore_new": newSettings.json])
        state.withLock { state in
            (state.oldSettings, state.newSettings, state.oldCapabilities) = (oldSettings, newSettings, capabilities)
        }
        try await MigrationLink.prepare(old, changing: oldSettings)
        try await MigrationLink.prepare(new, changing: newSettings)
    }

    /// Notes whether the guest runs, for the switch and for recovery.
    func noteGuestRuns() async throws(QMPError) -> Bool {
        let runs = try await old.execute(QueryStatus()).isRunning
        state.withLock { $0.guestRuns = runs }
        return runs
    }

    /// Returns the facts that recovery needs with a state.
    func facts(of handoffState: HandoffState) -> [String: JSONValue] {
        switch handoffState {
        case .linked: ["guest_ran": .bool(guestRuns)]
        // Recovery from here does not run a guest that has shut itself down since.
        case .committed where guestSwitch?.endedGuest != nil: ["guest_ran": false]
        default: [:]
        }
    }

    /// Older QEMUs (7.2) forget that a guest was paused when they fail to hand it over.
    private static let postmigrateNote = """
        The guest is paused as before, but QEMU now reports it as `postmigrate`, and can hand it over again only after \
        it has run (`cont`).
        """

    /// Restores the old QEMU.
    ///
    /// - Returns: Warnings for the operator.
    func restoreOld(resume: Bool) async throws(QMPError) -> [String] {
        let (settings, guestSwitch) = state.withLock { ($0.oldSettings, $0.guestSwitch) }
        let warning = try await OldSide.restore(
            old, settings: settings, resume: resume, isOurs: guestSwitch?.mayHaveBegun ?? false,
            endedGuest: { guestSwitch?.endedGuest })
        let isHandedOver = try await old.execute(QueryStatus()).state == .postmigrate
        let note = isHandedOver && guestSwitch?.endedGuest == nil ? Self.postmigrateNote : nil
        return [warning, note].compactMap(\.self)
    }

    /// Removes the migration's settings from the new QEMU, gives it those of the old one, and announces the guest to
    /// the switches of its networks.
    ///
    /// - Returns: A warning for the operator, if there is one.
    func leaveNoTrace() async throws(QMPError) -> String? {
        guard let new else { return nil }
        let (settings, oldSettings, capabilities) = state.withLock { state in
            (state.newSettings, state.oldSettings, state.oldCapabilities)
        }
        var warning: String?
        if let settings { warning = try await MigrationLink.restore(settings, on: new) }
        if let oldSettings { try await MigrationLink.inherit(capabilities, oldSettings, on: new) }
        _ = try await new.execute(AnnounceSelf())
        return warning
    }

    /// Stops listening and closes both monitors.
    func close() {
        let (new, guestSwitch) = state.withLock { ($0.new, $0.guestSwitch) }
        guestSwitch?.stopListening()
        new?.close()
        old.close()
    }
}
