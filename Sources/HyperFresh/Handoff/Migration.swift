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
        guard let new else { throw HyperFreshError("there is no new QEMU", remedy: HyperFreshError.retry) }
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
    /// - Parameters:
    ///   - resume: Whether the guest runs then.
    ///   - warn: Receives warnings for the operator, as soon as they are known.
    /// - Throws: `QMPError` if it cannot be restored.
    func restoreOld(resume: Bool, warn: (String) -> Void) async throws(QMPError) {
        let (settings, guestSwitch) = state.withLock { ($0.oldSettings, $0.guestSwitch) }
        let warning = try await OldSide.restore(
            old, settings: settings, resume: resume, isOurs: guestSwitch?.mayHaveBegun ?? false,
            endedGuest: { guestSwitch?.endedGuest })
        if let warning { warn(warning) }
        // The old QEMU is restored already; a monitor that does not answer now only costs the note.
        guard let status = try? await old.execute(QueryStatus()), status.state == .postmigrate else { return }
        if guestSwitch?.endedGuest == nil { warn(Self.postmigrateNote) }
    }

    /// Removes the migration's settings from the new QEMU, gives it those of the old one, and announces the guest to
    /// the switches of its networks.
    ///
    /// - Parameter warn: Receives warnings for the operator, as soon as they are known.
    /// - Throws: `QMPError` from the first command that failed.
    func leaveNoTrace(warn: (String) -> Void) async throws {
        guard let new else { throw HyperFreshError("there is no new QEMU", remedy: HyperFreshError.retry) }
        let settled: Result<Void, any Error>
        do { settled = .success(try await settle(new, warn: warn)) } catch { settled = .failure(error) }
        // Also after a failure: the networks must learn where the guest is.
        _ = try await new.execute(AnnounceSelf())
        try settled.get()
    }

    private func settle(_ new: QMPClient, warn: (String) -> Void) async throws {
        let (settings, oldSettings, capabilities) = state.withLock { state in
            (state.newSettings, state.oldSettings, state.oldCapabilities)
        }
        if let settings, let warning = try await MigrationLink.restore(settings, on: new) { warn(warning) }
        if let oldSettings { try await MigrationLink.inherit(capabilities, oldSettings, on: new) }
    }

    /// Stops listening and closes both monitors.
    func close() {
        let (new, guestSwitch) = state.withLock { ($0.new, $0.guestSwitch) }
        guestSwitch?.stopListening()
        new?.close()
        old.close()
    }
}
