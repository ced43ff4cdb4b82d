internal import JSON
public import QMP

extension HotPlug {
    /// The root file system of a container: a folder of this host, shared through virtiofs.
    ///
    /// Each OS VM has its own virtiofsd for it. The server must listen before the device is plugged in.
    public struct Share: Sendable {
        /// The id prefix of root ports for shares.
        static let portPrefix = "share"

        /// Returns whether this is the id of a root port; the id of a share's own device has a dash.
        static func isPort(_ id: String) -> Bool {
            let number = id.dropFirst(portPrefix.count).utf8
            return id.hasPrefix(portPrefix) && !number.isEmpty
                && number.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }

        /// The connection to the server.
        public let chardev: ChardevAdd
        /// The file system device.
        public let device: DeviceAdd
        /// Asks the OS VM to release the device; `DEVICE_DELETED` reports that it has.
        public let unplug: DeviceDel
        /// Closes the connection to the server; execute it after `DEVICE_DELETED`. The server then exits.
        public let remove: ChardevRemove

        /// Creates the commands.
        ///
        /// - Parameters:
        ///   - container: The container's name, which is also the mount tag in the OS VM.
        ///   - socket: The socket of the server on this host.
        ///   - port: A free root port, of ``Hypervisor/freeSharePort()``.
        public init(container: String, socket: String, port: String) {
            chardev = ChardevAdd(
                id: "fs-\(container)",
                backend: [
                    "type": "socket",
                    "data": ["addr": ["type": "unix", "data": ["path": .string(socket)]], "server": false],
                ])
            device = DeviceAdd([
                "driver": "vhost-user-fs-pci", "id": .string(Self.device(of: container)), "bus": .string(port),
                "chardev": "fs-\(container)", "tag": .string(container),
            ])
            unplug = DeviceDel(id: Self.device(of: container))
            remove = ChardevRemove(id: "fs-\(container)")
        }

        /// Returns the id of the device with a container's root file system.
        static func device(of container: String) -> String { "share-\(container)" }

        /// Returns the commands that detach it; execute the second one after the OS VM has released the device.
        ///
        /// - Parameter container: The container's name.
        /// - Returns: The commands.
        public static func removal(of container: String) -> Steps {
            Share(container: container, socket: "", port: "").removal
        }
    }
}

extension Hypervisor {
    /// Returns a root port for shares that has no device.
    ///
    /// - Returns: The port's id.
    /// - Throws: ``HypervisorError`` when all ports are taken.
    public func freeSharePort() async throws(HypervisorError) -> String {
        let ports = try await asking("list the devices on its buses") { monitor throws(QMPError) in
            try await monitor.execute(QueryPCI()).flatMap(\.flattened)
        }.filter { HotPlug.Share.isPort($0.qdevID) }
        if let free = ports.first(where: { $0.behindBridge?.isEmpty ?? true }) { return free.qdevID }
        throw HypervisorError(
            "\(record.hypervisor) has no free root port for the root file system of another container",
            remedy: "Run `hyperfresh refresh os \(record.hypervisor)`: a new OS VM has a port for each container of "
                + "its stack, and two more.",
            evidence: ["root ports for shares: \(ports.count), all in use"])
    }

    /// Returns whether a container's root file system is attached.
    ///
    /// - Parameter container: The container's name.
    /// - Returns: Whether its device exists.
    /// - Throws: ``HypervisorError`` when the monitor does not answer.
    public func hasShare(of container: String) async throws(HypervisorError) -> Bool {
        try await attachedDevices().contains(HotPlug.Share.device(of: container))
    }

    /// Attaches a container's root file system; its server must listen already.
    ///
    /// - Parameters:
    ///   - container: The container's name.
    ///   - socket: The socket of the server on this host.
    /// - Throws: ``HypervisorError``.
    public func attachShare(of container: String, at socket: String) async throws(HypervisorError) {
        let share = HotPlug.Share(container: container, socket: socket, port: try await freeSharePort())
        // Removes the chardev of an earlier attempt that failed; fails if there was none.
        _ = try? await monitor.execute(share.remove)
        try await attach([share.steps])
    }
}
