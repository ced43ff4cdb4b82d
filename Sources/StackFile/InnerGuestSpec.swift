/// One guest of a hypervisor (L2).
package struct InnerGuestSpec: Sendable, Hashable {
    /// The boot source.
    package enum Boot: Sendable, Hashable {
        /// Boots a kernel file of this host, loaded by QEMU.
        case kernel(path: String, initramfs: String?, arguments: String)
        /// Boots from its first disk, through firmware.
        case disk
    }

    /// The guest's console device.
    package enum Console: String, Sendable, Hashable, CaseIterable {
        /// A serial port, `ttyS0`: every guest has a driver, but each byte costs a VM exit.
        case serial
        /// A virtio console, `hvc0`: one VM exit for each write.
        case virtio
    }

    /// The virtio version of its disks and cards.
    package enum Virtio: String, Sendable, Hashable, CaseIterable {
        /// virtio 1.0: QEMU's state of each device has room for 1024 queues.
        case modern
        /// Legacy virtio, before 1.0: a fifth of the device state.
        case legacy
    }

    /// Its name: unique within the stack.
    package var name: String
    /// Its memory in bytes; a multiple of 2 MiB.
    package var memory: UInt64
    /// The number of its virtual CPUs.
    package var cpus: Int
    /// A versioned machine type, such as `pc-q35-7.2`; the QEMUs of all images that may run the guest must support it.
    package var machine: String
    /// A named CPU model; `host` ties the guest to one kernel and QEMU.
    package var cpuModel: String
    /// The boot source.
    package var boot: Boot
    /// Its console device.
    package var console: Console
    /// The virtio version of its disks and cards.
    package var virtio: Virtio
    /// Its disks, in order.
    package var disks: [DiskSpec]
    /// Its network cards, in order.
    package var networks: [CardSpec]
    /// Further arguments of the QEMU that runs it, inside the hypervisor.
    package var extraArguments: [String]
}

/// A network card of a guest.
package struct CardSpec: Sendable, Hashable {
    /// The network's name.
    package var network: String
    /// The card's hardware address, such as `52:54:00:12:34:01`.
    package var mac: String
}

/// A disk of a guest: a file or block device of this host.
package struct DiskSpec: Sendable, Hashable {
    /// The format of the disk image.
    package enum Format: String, Sendable, Hashable, CaseIterable {
        /// A raw image.
        case raw
        /// A qcow2 image; the guest's QEMU interprets it, this host's never does.
        case qcow2
    }

    /// Its name: unique within its guest.
    package var name: String
    /// The file or block device on this host.
    package var path: String
    /// The format of the image.
    package var format: Format
    /// Whether the guest has read-only access.
    package var isReadOnly: Bool

    /// Describes a disk.
    ///
    /// - Parameters:
    ///   - name: Unique within its guest.
    ///   - path: The file or block device on this host.
    ///   - format: The format of the image.
    ///   - isReadOnly: Whether the guest has read-only access.
    package init(name: String, path: String, format: Format, isReadOnly: Bool) {
        self.name = name
        self.path = path
        self.format = format
        self.isReadOnly = isReadOnly
    }
}
