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
