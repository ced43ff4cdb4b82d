/// One guest of a hypervisor (L2).
public struct InnerGuestSpec: Sendable, Hashable {
    /// What the guest starts from.
    public enum Boot: Sendable, Hashable {
        /// A kernel of this host, loaded by QEMU.
        case kernel(path: String, initramfs: String?, arguments: String)
        /// Firmware finds its first disk.
        case disk
    }

    /// The device by which its kernel writes to its console.
    public enum Console: String, Sendable, Hashable, CaseIterable {
        /// A serial port, `ttyS0`: every guest has a driver, and each byte costs an exit from the guest.
        case serial
        /// A virtio console, `hvc0`: an exit for each write.
        case virtio
    }

    /// How its disks and cards are presented.
    public enum Virtio: String, Sendable, Hashable, CaseIterable {
        /// As virtio 1.0 has it: QEMU's state of each device has room for 1024 queues.
        case modern
        /// As before virtio 1.0: a fifth of the state.
        case legacy
    }

    /// Its name: unique within the stack.
    public var name: String
    /// Its memory in bytes; a multiple of 2 MiB.
    public var memory: UInt64
    /// Its virtual CPUs.
    public var cpus: Int
    /// A versioned machine type, such as `pc-q35-7.2`: the QEMUs of all images it may meet must know it.
    public var machine: String
    /// A named CPU model; `host` ties the guest to one kernel and QEMU.
    public var cpuModel: String
    /// What it starts from.
    public var boot: Boot
    /// Its console.
    public var console: Console
    /// How its disks and cards are presented.
    public var virtio: Virtio
    /// Its disks, in order.
    public var disks: [DiskSpec]
    /// Its network cards, in order.
    public var networks: [CardSpec]
    /// Further arguments of the QEMU that runs it, inside the hypervisor.
    public var extraArguments: [String]
}
