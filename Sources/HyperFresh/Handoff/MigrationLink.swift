import JSON
import Linux
import QMP

/// The agreement between two QEMUs on how state moves: capabilities, bounds, and one channel in both hands.
///
/// Only the device state moves; the memory is shared (`x-ignore-shared`), and what goes wrong on the new side must reach
/// the old one (`return-path`: without it the old side reports success although the new one died while loading).
enum MigrationLink {
    /// The name under which each QEMU holds its end of the channel.
    static let channel = "hyperfresh"

    private static let required: Set<String> = ["events", "x-ignore-shared", "return-path"]
    /// Always on from QEMU 10.0, and gone from its list in time: wanted where it is known.
    private static let wanted: Set<String> = ["late-block-activate"]

    /// What a QEMU had set before, so that a handoff leaves no trace in it.
    struct Settings: Sendable, Hashable {
        var capabilities: [String: Bool]
        /// Bytes a second.
        var maximumBandwidth: UInt64?
        /// Milliseconds.
        var downtimeLimit: Int?
    }

    /// What a handoff is about to change, as it is now.
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
            throw HyperFreshError("QEMU did not say how it would hand over", because: error)
        }
    }

    /// Sets what a handoff needs, given what ``inspect(_:)`` found.
    static func prepare(_ client: QMPClient, changing settings: Settings) async throws(HyperFreshError) {
        do throws(QMPError) {
            let changes = settings.capabilities.mapValues { !$0 }
            if !changes.isEmpty { try await client.execute(MigrateSetCapabilities(changes)) }
            // No throttling, and no second thoughts about how long the guest may be stopped: the deadline is ours.
            try await client.execute(MigrateSetParameters(maximumBandwidth: 1 << 40, downtimeLimit: 60_000))
        } catch {
            throw HyperFreshError("QEMU did not agree on how to hand over", because: error)
        }
    }

    /// Puts back what ``inspect(_:)`` found, and brings a paused guest's disks back into use.
    ///
    /// - Returns: What a person should know: that the disks have to wait for `cont`.
    @discardableResult
    static func restore(_ settings: Settings, on client: QMPClient) async throws(QMPError) -> String? {
        // Those that are as they were may be in use: QEMU refuses to set any while somebody migrates the guest.
        let now = try await client.execute(QueryMigrateCapabilities())
        let changes = settings.capabilities.filter { now[$0.key] != $0.value }
        if !changes.isEmpty { try await client.execute(MigrateSetCapabilities(changes)) }
        try await client.execute(
            MigrateSetParameters(maximumBandwidth: settings.maximumBandwidth, downtimeLimit: settings.downtimeLimit))
        // Refused where QEMU has used the descriptor up; then nothing is left to close.
        _ = try? await client.execute(CloseFD(fdname: channel))
        return await BlockActivation.finish(client)
    }

    /// Gives a new QEMU what the old one had set, now that the guest is its own: whoever manages the guest (libvirt sets
    /// `events`) has set it once, at the guest's start.
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
            throw HyperFreshError("the migration channel could not be given to both QEMUs", because: error)
        }
    }

    /// Every other capability is off: compression, multifd, postcopy and their like only stand in the way.
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
