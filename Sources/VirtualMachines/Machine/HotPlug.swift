public import QMP
internal import JSON
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
