internal import JSON
internal import QMP

/// A channel by which one guest's device state travels from its old hypervisor to its new one.
///
/// A virtio-serial port in each, whose ends on this host are the two ends of one unix socket: nothing between the two QEMUs
/// that run the hypervisors, no network, no address, no listening TCP port. Inside, a stock relay joins the port with the
/// unix socket that the guest's QEMU speaks to.
public struct StateChannel: Sendable {
    /// The guest's name.
    public let guest: String
    /// The hypervisor that sends.
    public let old: Hypervisor
    /// The hypervisor that receives.
    public let new: Hypervisor
    /// Makes its names its own: what a controller that died has left in a hypervisor is in nobody's way.
    private let tag: String

    /// A channel; nothing is made yet.
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

    /// What the old QEMU's `migrate` is told.
    public var outgoing: String { "unix:\(InnerGuestFiles.directory)/\(guest).out" }
    /// What the new QEMU's `migrate-incoming` is told.
    public var incoming: String { "unix:\(InnerGuestFiles.directory)/\(guest).in" }

    private var device: String { "link-\(guest)-\(tag)" }
    private var port: String { "hyperfresh.link.\(guest).\(tag)" }
    private var socket: String { "\(new.folder.path)/\(tag).link" }
    private var unit: String { "hyperfresh-link-\(guest).service" }

    /// Makes the channel, up to a relay in each hypervisor: in the new one after its QEMU was told `migrate-incoming`.
    ///
    /// - Throws: ``HypervisorError``.
    public func open() async throws(HypervisorError) {
        try await plug(into: old, isServer: true)
        try await plug(into: new, isServer: false)
        try await relay(in: old, to: "UNIX-LISTEN:\(InnerGuestFiles.directory)/\(guest).out,unlink-early")
    }

    /// Joins the new QEMU to the channel, once it listens.
    ///
    /// - Throws: ``HypervisorError``.
    public func join() async throws(HypervisorError) {
        try await relay(in: new, to: "UNIX-CONNECT:\(InnerGuestFiles.directory)/\(guest).in")
    }

    /// Takes the channel away again; what is gone already is no error.
    public func close() async {
        for hypervisor in [old, new] {
            // Best effort: its names are its own, and in nobody's way.
            _ = try? await hypervisor.agent.run(
                verb: "close-channel",
                [unit, "\(InnerGuestFiles.directory)/\(guest)"], to: "close the channel of guest \(guest)",
                within: .seconds(5))
            // Refused where it is gone already.
            _ = try? await hypervisor.monitor.execute(DeviceDel(id: device))
            _ = try? await hypervisor.monitor.execute(ChardevRemove(id: device))
        }
    }

    private func plug(into hypervisor: Hypervisor, isServer: Bool) async throws(HypervisorError) {
        var data: [String: JSONValue] = [
            "addr": ["type": "unix", "data": ["path": .string(socket)]], "server": .bool(isServer),
        ]
        if isServer { data["wait"] = false }
        do throws(QMPError) {
            try await hypervisor.monitor.execute(
                ChardevAdd(id: device, backend: ["type": "socket", "data": .object(data)]))
            try await hypervisor.monitor.execute(
                DeviceAdd([
                    "driver": "virtserialport", "id": .string(device), "bus": "links.0", "chardev": .string(device),
                    "name": .string(port),
                ]))
        } catch {
            throw HypervisorError(
                "hypervisor \(hypervisor.record.hypervisor): the channel of guest \(guest) cannot be made",
                remedy: "Nothing was paused.", evidence: [error.refusal?.text ?? "\(error)"])
        }
    }

    private func relay(in hypervisor: Hypervisor, to end: String) async throws(HypervisorError) {
        try await hypervisor.agent.run(
            verb: "open-channel", [unit, port, end], to: "open the channel of guest \(guest)")
    }
}
