/// One guest of a hypervisor (L2).
public struct InnerGuestSpec: Sendable, Hashable {
    /// The boot source.
    public enum Boot: Sendable, Hashable {
        /// Boots a kernel file of this host, loaded by QEMU.
        case kernel(path: String, initramfs: String?, arguments: String)
        /// Boots from its first disk, through firmware.
        case disk
    }

    /// The guest's console device.
    public enum Console: String, Sendable, Hashable, CaseIterable {
        /// A serial port, `ttyS0`: every guest has a driver, but each byte costs a VM exit.
        case serial
        /// A virtio console, `hvc0`: one VM exit for each write.
        case virtio
    }

    /// The virtio version of its disks and cards.
    public enum Virtio: String, Sendable, Hashable, CaseIterable {
        /// virtio 1.0: QEMU's state of each device has room for 1024 queues.
        case modern
        /// Legacy virtio, before 1.0: a fifth of the device state.
        case legacy
    }

    /// Its name: unique within the stack.
    public var name: String
    /// Its memory in bytes; a multiple of 2 MiB.
    public var memory: UInt64
    /// The number of its virtual CPUs.
    public var cpus: Int
    /// A versioned machine type, such as `pc-q35-7.2`; the QEMUs of all images that may run the guest must support it.
    public var machine: String
    /// A named CPU model; `host` ties the guest to one kernel and QEMU.
    public var cpuModel: String
    /// The boot source.
    public var boot: Boot
    /// Its console device.
    public var console: Console
    /// The virtio version of its disks and cards.
    public var virtio: Virtio
    /// Its disks, in order.
    public var disks: [DiskSpec]
    /// Its network cards, in order.
    public var networks: [CardSpec]
    /// Further arguments of the QEMU that runs it, inside the hypervisor.
    public var extraArguments: [String]
}

/// A network card of a guest.
public struct CardSpec: Sendable, Hashable {
    /// The network's name.
    public var network: String
    /// The card's hardware address, such as `52:54:00:12:34:01`.
    public var mac: String
}

/// A disk of a guest: a file or block device of this host.
public struct DiskSpec: Sendable, Hashable {
    /// The format of the disk image.
    public enum Format: String, Sendable, Hashable, CaseIterable {
        /// A raw image.
        case raw
        /// A qcow2 image; the guest's QEMU interprets it, this host's never does.
        case qcow2
    }

    /// Its name: unique within its guest.
    public var name: String
    /// The file or block device on this host.
    public var path: String
    /// The format of the image.
    public var format: Format
    /// Whether the guest has read-only access.
    public var isReadOnly: Bool

    /// Describes a disk.
    ///
    /// - Parameters:
    ///   - name: Unique within its guest.
    ///   - path: The file or block device on this host.
    ///   - format: The format of the image.
    ///   - isReadOnly: Whether the guest has read-only access.
    public init(name: String, path: String, format: Format, isReadOnly: Bool) {
        self.name = name
        self.path = path
        self.format = format
        self.isReadOnly = isReadOnly
    }
}
