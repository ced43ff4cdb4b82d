/// A channel that carries one guest's device state from its old hypervisor to its new one.
///
/// Each hypervisor has a virtio-serial port for it; on this host, the two ports are the ends of one unix socket. The
/// two QEMUs that run the hypervisors share nothing else: no network, no address, no listening TCP port. Inside, a
/// stock relay connects the port to the unix socket of the guest's QEMU.
public struct StateChannel: Sendable {
    /// The guest's name.
    public let guest: String
    /// The hypervisor that sends the state.
    public let old: Hypervisor
    /// The hypervisor that receives the state.
    public let new: Hypervisor
    /// Makes the channel's names unique, so that leftovers of a controller that died do not collide with them.
    private let tag: String

    /// Describes a channel; ``open()`` creates it.
    ///
    /// - Parameters:
    ///   - guest: The guest's name.
    ///   - old: The hypervisor that sends.
    ///   - new: The hypervisor that receives.
    public init(guest: String, old: Hypervisor, new: Hypervisor) {
        self.guest = guest
        self.old = old
        self.new = new
        tag = String(UInt32.random(in: 0x1000_0000 ... .max), radix: 16)
    }

    /// The URI for the old QEMU's `migrate`.
    public var outgoing: String { "unix:\(InnerGuestFiles.directory)/\(guest).out" }
    /// The URI for the new QEMU's `migrate-incoming`.
    public var incoming: String { "unix:\(InnerGuestFiles.directory)/\(guest).in" }

    private var device: String { "link-\(guest)-\(tag)" }
    private var port: String { "hyperfresh.link.\(guest).\(tag)" }
    private var socket: String { "\(new.folder.path)/\(tag).link" }
    private var unit: String { "hyperfresh-link-\(guest).service" }

    /// Creates the channel and the old hypervisor's relay.
    ///
    /// Call ``join()`` after the new QEMU has executed `migrate-incoming`.
    ///
    /// - Throws: ``HypervisorError``.
    public func open() async throws(HypervisorError) {
        try await old.attach([link(isServer: true).steps])
        try await new.attach([link(isServer: false).steps])
        try await relay(in: old, to: "UNIX-LISTEN:\(InnerGuestFiles.directory)/\(guest).out,unlink-early")
    }

    /// Connects the new QEMU to the channel; it must listen already.
    ///
    /// - Throws: ``HypervisorError``.
    public func join() async throws(HypervisorError) {
        try await relay(in: new, to: "UNIX-CONNECT:\(InnerGuestFiles.directory)/\(guest).in")
    }

    /// Removes the channel, ignoring parts that are gone already.
    public func close() async {
        for hypervisor in [old, new] {
            // Best effort: the names are unique, so leftovers are harmless.
            _ = try? await hypervisor.agent.run(
                verb: "close-channel",
                [unit, "\(InnerGuestFiles.directory)/\(guest)"], to: "close the channel of guest \(guest)",
                within: .seconds(5))
            // Best effort too.
            _ = try? await hypervisor.detach([link(isServer: false).removal])
        }
    }

    private func link(isServer: Bool) -> HotPlug.Link {
        HotPlug.Link(id: device, port: port, socket: socket, isServer: isServer)
    }

    private func relay(in hypervisor: Hypervisor, to end: String) async throws(HypervisorError) {
        try await hypervisor.agent.run(
            verb: "open-channel", [unit, port, end], to: "open the channel of guest \(guest)")
    }
}
