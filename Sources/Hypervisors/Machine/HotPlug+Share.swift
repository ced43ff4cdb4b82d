internal import JSON
public import QMP

extension HotPlug {
    /// The root file system of a container: a folder of this host, by virtiofs.
    ///
    /// Each OS VM has a server of its own for it, virtiofsd, which listens before this is plugged in.
    public struct Share: Sendable {
        /// What the names of the root ports that take shares begin with.
        static let portPrefix = "share"

        /// Whether it is the id of a port, not that of a share's own device, which has a dash.
        static func isPort(_ id: String) -> Bool {
            let number = id.dropFirst(portPrefix.count).utf8
            return id.hasPrefix(portPrefix) && !number.isEmpty
                && number.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        }

        /// The way to the server.
        public let chardev: ChardevAdd
        /// The file system's device.
        public let device: DeviceAdd
        /// Asks the OS VM to give the device up; `DEVICE_DELETED` tells when it has.
        public let unplug: DeviceDel
        /// Ends the connection with the server, after that: the server ends too.
        public let remove: ChardevRemove

        /// Makes the messages.
        ///
        /// - Parameters:
        ///   - container: The container's name: the tag by which the OS VM mounts it.
        ///   - socket: Where its server listens on this host.
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

        /// The id of the device with a container's root file system.
        static func device(of container: String) -> String { "share-\(container)" }

        /// What takes it away: the second command once the OS VM has given the device up.
        ///
        /// - Parameter container: The container's name.
        /// - Returns: The steps.
        public static func removal(of container: String) -> Steps {
            Share(container: container, socket: "", port: "").removal
        }
    }
}

extension Hypervisor {
    /// A root port that takes a share and has none.
    ///
    /// - Returns: Its id.
    /// - Throws: ``HypervisorError`` when there is none.
    public func freeSharePort() async throws(HypervisorError) -> String {
        let ports = try await asking("say what is on its buses") { monitor throws(QMPError) in
            try await monitor.execute(QueryPCI()).flatMap(\.flattened)
        }.filter { HotPlug.Share.isPort($0.qdevID) }
        if let free = ports.first(where: { $0.behindBridge?.isEmpty ?? true }) { return free.qdevID }
        throw HypervisorError(
            "\(record.hypervisor) has no room for the root file system of a further container",
            remedy: "Refresh it: a fresh one has room for all containers of its stack, and two more.",
            evidence: ["root ports for shares: \(ports.count), all taken"])
    }

    /// Whether a container's root file system is attached.
    ///
    /// - Parameter container: The container's name.
    /// - Returns: Whether its device is there.
    /// - Throws: ``HypervisorError`` when the monitor does not say.
    public func hasShare(of container: String) async throws(HypervisorError) -> Bool {
        try await attachedDevices().contains(HotPlug.Share.device(of: container))
    }

    /// Attaches a container's root file system, whose server listens.
    ///
    /// - Parameters:
    ///   - container: The container's name.
    ///   - socket: Where its server listens on this host.
    /// - Throws: ``HypervisorError``.
    public func attachShare(of container: String, at socket: String) async throws(HypervisorError) {
        let share = HotPlug.Share(container: container, socket: socket, port: try await freeSharePort())
        // What an attempt that failed has left; its server is gone.
        _ = try? await monitor.execute(share.remove)
        try await attach([share.steps])
    }
}
