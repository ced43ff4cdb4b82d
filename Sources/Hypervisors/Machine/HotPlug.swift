public import QMP
internal import JSON

/// What a hypervisor is given for one guest or container while it runs: memory, disks, a way to the guest's monitor.
///
/// Each is told to the monitor of the QEMU that runs the hypervisor, in the order of its properties.
public enum HotPlug {
    /// A guest's memory as an NVDIMM.
    ///
    /// It cannot be unplugged: QEMU has no such thing for NVDIMMs. It goes with the hypervisor.
    public struct Memory: Sendable {
        /// The memory file.
        public let backend: ObjectAdd
        /// The NVDIMM with it.
        public let device: DeviceAdd

        /// Makes the messages.
        ///
        /// - Parameters:
        ///   - guest: The guest's name.
        ///   - path: Its memory file.
        ///   - shape: The file's shape.
        ///   - hugePages: The pages behind it.
        public init(
            guest: String, path: String, shape: MemoryFileShape, hugePages: HyperplexorSpec.HugePages = .none
        ) {
            self.init(tenant: guest, path: path, size: shape.fileSize, hugePages: hugePages)
        }

        /// Makes the messages for a container's image store.
        ///
        /// - Parameters:
        ///   - container: The container's name.
        ///   - store: The file.
        ///   - shape: The file's shape.
        public init(container: String, store: String, shape: StoreFileShape) {
            self.init(tenant: container, path: store, size: shape.fileSize, hugePages: .none)
        }

        private init(tenant guest: String, path: String, size: UInt64, hugePages: HyperplexorSpec.HugePages) {
            let alignment = max(MemoryFileShape.alignment, hugePages.pageSize)
            // prealloc would write to the memory of a guest that runs, discard-data would empty it.
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

    /// A disk of a guest, as a SCSI disk of the hypervisor.
    public struct Disk: Sendable {
        /// The file or block device.
        public let node: BlockdevAdd
        /// The SCSI disk with it.
        public let device: DeviceAdd
        /// Asks the hypervisor to give the disk up; `DEVICE_DELETED` tells when it has.
        public let unplug: DeviceDel
        /// Closes the file, after that.
        public let close: BlockdevDel

        /// Makes the messages.
        ///
        /// - Parameters:
        ///   - disk: The disk.
        ///   - guest: The guest's name.
        ///   - isBlockDevice: Whether its path leads to a block device.
        ///   - bypassesCache: Whether its file system knows O_DIRECT; a tmpfs does not.
        public init(_ disk: DiskSpec, of guest: String, isBlockDevice: Bool, bypassesCache: Bool) {
            let serial = InnerGuestFiles(guest: guest).serial(disk.name)
            let name = Self.nodeName(serial)
            // locking=off, share-rw: during a refresh both hypervisors have the file open, and the one that is to write it
            // is decided by the guests' QEMUs within them: the old one has given the disk up before the new one takes it.
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

        /// QEMU gives the name of a node 31 characters, of which the first is a letter.
        private static func nodeName(_ serial: String) -> String {
            let name = "disk-\(serial)"
            return name.utf8.count <= 31 ? name : "disk-" + String(StableHash.value(of: serial), radix: 16)
        }
    }

    /// A guest's console: a virtio-serial port of the hypervisor to which the guest's QEMU writes, a file on this host.
    ///
    /// Old and new hypervisor append to the same file: it goes on across a refresh.
    public struct Console: Sendable {
        /// The file.
        public let chardev: ChardevAdd
        /// The port.
        public let device: DeviceAdd
        /// Takes the port away.
        public let unplug: DeviceDel
        /// Closes the file, after that.
        public let remove: ChardevRemove

        /// Makes the messages.
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

    /// The way to a guest's monitor: a virtio-serial port of the hypervisor, a socket on this host.
    public struct Relay: Sendable {
        /// The socket.
        public let chardev: ChardevAdd
        /// The port.
        public let device: DeviceAdd
        /// Takes the port away.
        public let unplug: DeviceDel
        /// Takes the socket away, after that.
        public let remove: ChardevRemove

        /// Makes the messages.
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
