public import JSON
public import QMP
public import StackFile

/// Devices that a running hypervisor gets for one guest or container: memory, disks, a connection to the guest's
/// monitor.
///
/// Send each one's commands to the QEMU that runs the hypervisor, in the order of the properties.
public enum HotPlug {
    /// A guest's memory as an NVDIMM.
    ///
    /// QEMU cannot unplug NVDIMMs: it stays until the hypervisor exits.
    public struct Memory: Sendable {
        /// The memory file.
        public let backend: ObjectAdd
        /// The NVDIMM.
        public let device: DeviceAdd

        /// Creates the commands.
        ///
        /// - Parameters:
        ///   - guest: The guest's name.
        ///   - path: The memory file's path.
        ///   - shape: The memory file's layout.
        ///   - hugePages: The page size of the memory file.
        public init(
            guest: String, path: String, shape: MemoryFileShape, hugePages: HyperplexorSpec.HugePages = .none
        ) {
            self.init(tenant: guest, path: path, size: shape.fileSize, hugePages: hugePages)
        }

        /// Creates the commands for a container's image store.
        ///
        /// - Parameters:
        ///   - container: The container's name.
        ///   - store: The store file's path.
        ///   - shape: The store file's layout.
        public init(container: String, store: String, shape: StoreFileShape) {
            self.init(tenant: container, path: store, size: shape.fileSize, hugePages: .none)
        }

        private init(tenant guest: String, path: String, size: UInt64, hugePages: HyperplexorSpec.HugePages) {
            let alignment = max(MemoryFileShape.alignment, hugePages.pageSize)
            // prealloc would write to the memory of a running guest, discard-data would discard it.
            backend = ObjectAdd([
                "qom-type": "memory-backend-file", "id": "file-\(guest)", "mem-path": .string(path),
                "size": JSONValue(size), "align": JSONValue(alignment), "share": true,
                "prealloc": false, "discard-data": false,
            ])
            device = DeviceAdd([
                "driver": "nvdimm", "id": "mem-\(guest)", "memdev": "file-\(guest)", "unarmed": false,
            ])
        }
    }

    /// A disk of a guest, attached as a SCSI disk of the hypervisor.
    public struct Disk: Sendable {
        /// The file or block device.
        public let node: BlockdevAdd
        /// The SCSI disk.
        public let device: DeviceAdd
        /// Asks the hypervisor to release the disk; `DEVICE_DELETED` reports that it has.
        public let unplug: DeviceDel
        /// Closes the file; execute it after `DEVICE_DELETED`.
        public let close: BlockdevDel

        /// Creates the commands.
        ///
        /// - Parameters:
        ///   - disk: The disk.
        ///   - guest: The guest's name.
        ///   - isBlockDevice: Whether its path is a block device.
        ///   - bypassesCache: Whether its file system supports O_DIRECT; tmpfs does not.
        public init(_ disk: DiskSpec, of guest: String, isBlockDevice: Bool, bypassesCache: Bool) {
            let serial = InnerGuestFiles(guest: guest).serial(disk.name)
            let name = Self.nodeName(serial)
            // locking=off, share-rw: during a refresh both hypervisors have the file open. The guest's QEMUs inside
            // them coordinate the writes: the old one releases the disk before the new one opens it.
            node = BlockdevAdd([
                "driver": "raw", "node-name": .string(name), "read-only": .bool(disk.isReadOnly),
                "discard": "unmap", "cache": ["direct": .bool(bypassesCache), "no-flush": false],
                "file": [
                    "driver": isBlockDevice ? "host_device" : "file", "filename": .string(disk.path),
                    "locking": "off", "discard": "unmap", "read-only": .bool(disk.isReadOnly),
                    "cache": ["direct": .bool(bypassesCache), "no-flush": false],
                ],
            ])
            device = DeviceAdd([
                "driver": "scsi-hd", "id": "scsi-\(serial)", "bus": "disks.0", "drive": .string(name),
                "serial": .string(serial), "share-rw": true,
            ])
            unplug = DeviceDel(id: "scsi-\(serial)")
            close = BlockdevDel(nodeName: name)
        }

        /// Returns a node name: QEMU allows 31 characters, and the first must be a letter.
        private static func nodeName(_ serial: String) -> String {
            let name = "disk-\(serial)"
            return name.utf8.count <= 31 ? name : "disk-" + String(StableHash.value(of: serial), radix: 16)
        }
    }

    /// A guest's console: a virtio-serial port of the hypervisor, to which the guest's QEMU writes, and a file on this
    /// host.
    ///
    /// Old and new hypervisor append to the same file, so that it continues across a refresh.
    public struct Console: Sendable {
        /// The file.
        public let chardev: ChardevAdd
        /// The port.
        public let device: DeviceAdd
        /// Unplugs the port.
        public let unplug: DeviceDel
        /// Closes the file; execute it after ``unplug``.
        public let remove: ChardevRemove

        /// Creates the commands.
        ///
        /// - Parameters:
        ///   - guest: The guest's name.
        ///   - log: The file's path on this host.
        public init(guest: String, log: String) {
            chardev = ChardevAdd(
                id: "console-\(guest)", backend: ["type": "file", "data": ["out": .string(log), "append": true]])
            device = DeviceAdd([
                "driver": "virtserialport", "id": "tty-\(guest)", "bus": "consoles.0", "chardev": "console-\(guest)",
                "name": .string(InnerGuestFiles(guest: guest).consolePort),
            ])
            unplug = DeviceDel(id: "tty-\(guest)")
            remove = ChardevRemove(id: "console-\(guest)")
        }
    }

    /// The connection to a guest's monitor: a virtio-serial port of the hypervisor, and a socket on this host.
    public struct Relay: Sendable {
        /// The socket.
        public let chardev: ChardevAdd
        /// The port.
        public let device: DeviceAdd
        /// Unplugs the port.
        public let unplug: DeviceDel
        /// Removes the socket; execute it after ``unplug``.
        public let remove: ChardevRemove

        /// Creates the commands.
        ///
        /// - Parameters:
        ///   - guest: The guest's name.
        ///   - socket: The socket's path on this host.
        public init(guest: String, socket: String) {
            chardev = ChardevAdd(
                id: "relay-\(guest)",
                backend: [
                    "type": "socket",
                    "data": [
                        "addr": ["type": "unix", "data": ["path": .string(socket)]], "server": true, "wait": false,
                    ],
                ])
            device = DeviceAdd([
                "driver": "virtserialport", "id": "port-\(guest)", "bus": "ports.0", "chardev": "relay-\(guest)",
                "name": .string(InnerGuestFiles(guest: guest).relayPort),
            ])
            unplug = DeviceDel(id: "port-\(guest)")
            remove = ChardevRemove(id: "relay-\(guest)")
        }
    }
}

// MARK: - Steps

extension HotPlug {
    /// One end of a ``StateChannel``: a virtio-serial port, connected with a unix socket of this host.
    public struct Link: Sendable {
        /// Opens the socket, as its server or as its client.
        public let chardev: ChardevAdd
        /// Adds the port.
        public let device: DeviceAdd
        /// Removes the port.
        public let unplug: DeviceDel
        /// Closes the socket; QEMU uses it for a moment after the port is gone.
        public let remove: ChardevRemove

        /// Describes the end of a channel in one hypervisor.
        ///
        /// - Parameters:
        ///   - id: The id of the port and of its backend, unique in the hypervisor.
        ///   - port: The port's name, by which udev names its file.
        ///   - socket: The socket's path on this host.
        ///   - isServer: Whether this end creates the socket.
        public init(id: String, port: String, socket: String, isServer: Bool) {
            var data: [String: JSONValue] = [
                "addr": ["type": "unix", "data": ["path": .string(socket)]], "server": .bool(isServer),
            ]
            if isServer { data["wait"] = false }
            chardev = ChardevAdd(id: id, backend: ["type": "socket", "data": .object(data)])
            device = DeviceAdd([
                "driver": "virtserialport", "id": .string(id), "bus": "links.0", "chardev": .string(id),
                "name": .string(port),
            ])
            unplug = DeviceDel(id: id)
            remove = ChardevRemove(id: id)
        }

        /// The commands that plug it in.
        public var steps: HotPlug.Steps { HotPlug.steps(chardev, device) }
        /// The commands that detach it.
        public var removal: HotPlug.Steps { HotPlug.removal(unplug, remove) }
    }
}

extension HotPlug {
    /// The QMP commands that plug or unplug one device.
    public struct Steps: Sendable, Hashable {
        /// A QMP command.
        public struct Command: Sendable, Hashable {
            /// The command's QMP name.
            public let name: String
            /// The command's arguments.
            public let arguments: [String: JSONValue]
        }

        /// The id of the device that the commands add or remove.
        public let device: String
        /// The commands, in order.
        public let commands: [Command]

        fileprivate init(_ device: String, _ commands: [Command]) {
            self.device = device
            self.commands = commands
        }
    }

    /// Returns the id of the NVDIMM with a guest's memory.
    static func memoryDevice(of guest: String) -> String { memoryPrefix + guest }

    /// Returns the guest or container whose memory a device is; nil for any other device.
    static func tenant(ofMemoryDevice device: String) -> String? {
        device.hasPrefix(memoryPrefix) ? String(device.dropFirst(memoryPrefix.count)) : nil
    }

    private static let memoryPrefix = "mem-"

    private static func command<C: QMPCommand>(_ command: C) -> Steps.Command {
        Steps.Command(name: C.name, arguments: command.arguments)
    }

    private static func steps(_ first: some QMPCommand, _ device: DeviceAdd) -> Steps {
        Steps(device.device["id"]?.string ?? "", [command(first), command(device)])
    }

    private static func removal(_ device: DeviceDel, _ last: some QMPCommand) -> Steps {
        Steps(device.id, [command(device), command(last)])
    }
}

extension HotPlug.Memory {
    /// The commands that plug it in.
    public var steps: HotPlug.Steps { HotPlug.steps(backend, device) }
}

extension HotPlug.Disk {
    /// The commands that plug it in.
    public var steps: HotPlug.Steps { HotPlug.steps(node, device) }
    /// The commands that detach it; execute the second one after the hypervisor has released the device.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, close) }
}

extension HotPlug.Console {
    /// The commands that plug it in.
    public var steps: HotPlug.Steps { HotPlug.steps(chardev, device) }
    /// The commands that detach it; execute the second one after the hypervisor has released the device.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, remove) }
}

extension HotPlug.Relay {
    /// The commands that plug it in.
    public var steps: HotPlug.Steps { HotPlug.steps(chardev, device) }
    /// The commands that detach it; execute the second one after the hypervisor has released the device.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, remove) }
}

extension HotPlug.Share {
    /// The commands that plug it in.
    public var steps: HotPlug.Steps { HotPlug.steps(chardev, device) }
    /// The commands that detach it; execute the second one after the OS VM has released the device.
    public var removal: HotPlug.Steps { HotPlug.removal(unplug, remove) }
}

// MARK: - Share

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
        /// Closes the connection to the server, which then exits; execute it after `DEVICE_DELETED`.
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
