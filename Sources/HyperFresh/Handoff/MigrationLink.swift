import JSON
import Linux
import QMP

/// The setup of a migration between two QEMUs: capabilities, limits, and a channel between them.
///
/// Only the device state moves; the memory is shared (`x-ignore-shared`). Failures on the new side must reach the old
/// one (`return-path`: without it, the old side reports success even if the new one died while loading).
enum MigrationLink {
    /// The name under which each QEMU holds its end of the channel.
    static let channel = "hyperfresh"

    private static let required: Set<String> = ["events", "x-ignore-shared", "return-path"]
    /// Always on since QEMU 10.0, and later gone from its list; set where it is known.
    private static let wanted: Set<String> = ["late-block-activate"]

    /// A QEMU's earlier settings, which are restored after a handoff.
    struct Settings: Sendable, Hashable {
        var capabilities: [String: Bool]
        /// Bytes a second.
        var maximumBandwidth: UInt64?
        /// Milliseconds.
        var downtimeLimit: Int?
    }

    /// Returns the current values of all settings that a handoff changes.
    static func inspect(_ client: QMPClient) async throws(HyperFreshError) -> Settings {
        do throws(QMPError) {
            let capabilities = try await client.execute(QueryMigrateCapabilities())
            let missing = required.subtracting(capabilities.keys)
            guard missing.isEmpty else { throw lacking(missing, in: client) }
            let parameters = try await client.execute(QueryMigrateParameters())
            return Settings(
                capabilities: capabilities.filter { $0.value != isNeeded($0.key) },
                maximumBandwidth: parameters.maximumBandwidth, downtimeLimit: parameters.downtimeLimit)
        } catch {
            throw HyperFreshError(
                "cannot read QEMU's migration settings", because: error, remedy: HyperFreshError.retry)
        }
    }

    /// Sets the values that a handoff needs; `settings` are those that ``inspect(_:)`` returned.
    static func prepare(_ client: QMPClient, changing settings: Settings) async throws(HyperFreshError) {
        do throws(QMPError) {
            let changes = settings.capabilities.mapValues { !$0 }
            if !changes.isEmpty { try await client.execute(MigrateSetCapabilities(changes)) }
            // No throttling, and no downtime limit of QEMU's own: hyperfresh enforces the deadline.
            try await client.execute(MigrateSetParameters(maximumBandwidth: 1 << 40, downtimeLimit: 60_000))
        } catch {
            throw HyperFreshError(
                "cannot change QEMU's migration settings", because: error, remedy: HyperFreshError.retry)
        }
    }

    /// Restores the settings that ``inspect(_:)`` returned, and activates a paused guest's disks.
    ///
    /// - Returns: A warning if the disks stay inactive until `cont`.
    @discardableResult
    static func restore(_ settings: Settings, on client: QMPClient) async throws(QMPError) -> String? {
        // Set only those that differ: QEMU refuses to set any while somebody migrates the guest.
        let now = try await client.execute(QueryMigrateCapabilities())
        let changes = settings.capabilities.filter { now[$0.key] != $0.value }
        if !changes.isEmpty { try await client.execute(MigrateSetCapabilities(changes)) }
        try await client.execute(
            MigrateSetParameters(maximumBandwidth: settings.maximumBandwidth, downtimeLimit: settings.downtimeLimit))
        // Refused if QEMU has consumed the descriptor; then there is nothing to close.
        _ = try? await client.execute(CloseFD(fdname: channel))
        return await BlockActivation.finish(client)
    }

    /// Gives a new QEMU the settings of the old one, after it owns the guest: a manager (libvirt sets `events`) sets
    /// them only once, when the guest starts.
    static func inherit(
        _ capabilities: [String: Bool], _ settings: Settings, on client: QMPClient
    ) async throws(QMPError) {
        let now = try await client.execute(QueryMigrateCapabilities())
        let changes = capabilities.filter { now[$0.key] != nil && now[$0.key] != $0.value }
        if !changes.isEmpty { try await client.execute(MigrateSetCapabilities(changes)) }
        try await client.execute(
            MigrateSetParameters(maximumBandwidth: settings.maximumBandwidth, downtimeLimit: settings.downtimeLimit))
    }

    /// Gives each side one end of a socket pair: no path, no listener, nothing that a sandbox or a chroot could hide.
    static func connect(old: QMPClient, new: QMPClient) async throws(HyperFreshError) {
        do {
            let (oldEnd, newEnd) = try UnixStream.pair()
            try await new.execute(GetFD(fdname: channel, descriptor: newEnd.number))
            try await old.execute(GetFD(fdname: channel, descriptor: oldEnd.number))
            try await new.execute(MigrateIncoming(uri: "fd:\(channel)"))
        } catch {
            throw HyperFreshError(
                "cannot pass the migration channel to both QEMUs", because: error, remedy: HyperFreshError.retry)
        }
    }

    /// Returns whether a capability must be on; all others (compression, multifd, postcopy, …) only interfere and are
    /// off.
    private static func isNeeded(_ capability: String) -> Bool {
        required.contains(capability) || wanted.contains(capability)
    }

    private static func lacking(_ capabilities: Set<String>, in client: QMPClient) -> QMPError {
        let names = capabilities.sorted().joined(separator: ", ")
        return QMPError(
            .unusableReply, "QEMU \(client.greeting.version) lacks \(names); both sides must be 4.0 or later",
            endpoint: client.endpoint)
    }
}
