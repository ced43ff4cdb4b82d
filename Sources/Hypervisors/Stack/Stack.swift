/// What one stack file describes: a hyperplexor, its networks, and its hypervisors with their guests.
public struct Stack: Sendable, Hashable {
    /// Its name; part of the names of what is created for it.
    public var name: String
    /// The folder against which relative paths in it are read: the stack file's own.
    public var directory: String
    /// What this host gives to the hypervisors.
    public var hyperplexor: HyperplexorSpec
    /// The networks that guests may join.
    public var networks: [NetworkSpec]
    /// The hypervisors, in the file's order.
    public var hypervisors: [HypervisorSpec]
}

/// How this host carries its hypervisors.
public struct HyperplexorSpec: Sendable, Hashable {
    /// By what a QEMU runs its guest.
    public enum Accelerator: String, Sendable, Hashable, CaseIterable {
        /// KVM where this host can nest, TCG elsewhere.
        case auto
        /// KVM with nesting, or an error.
        case kvm
        /// Emulation; AMD's SVM is emulated for the hypervisor's own KVM.
        case tcg
    }

    /// The pages behind guest memory.
    public enum HugePages: String, Sendable, Hashable, CaseIterable {
        /// The kernel's ordinary pages.
        case none
        /// Transparent huge pages in a tmpfs (its `huge=` mount option or shmem_enabled has to allow it).
        case transparent
        /// The memory folder lies on a hugetlbfs of 2 MiB pages.
        case twoMiB = "2M"
        /// The memory folder lies on a hugetlbfs of 1 GiB pages.
        case oneGiB = "1G"
    }

    /// The folder where memory files lie: a tmpfs or a hugetlbfs.
    ///
    /// Created 0700.
    public var memoryDirectory: String
    /// The pages behind guest memory.
    public var hugePages: HugePages
    /// This host's cores for hypervisors' vCPUs, in the file's order; empty for no pinning.
    public var cores: [Int]
    /// By what hypervisors run.
    public var accelerator: Accelerator
    /// The QEMU that runs hypervisors.
    public var qemu: String
}

/// A network that reaches guests through their hypervisors.
public struct NetworkSpec: Sendable, Hashable {
    /// What carries it on this host.
    public enum Kind: Sendable, Hashable {
        /// An existing bridge of this host; each hypervisor gets a tap on it.
        case bridge(String)
        /// A segment between the hypervisors of one user, over UDP multicast on the loopback interface: needs no rights.
        ///
        /// This host is not on it.
        case segment(group: String, port: Int)
    }

    /// Its name within the stack.
    public var name: String
    /// What carries it.
    public var kind: Kind
    /// Queue pairs of each hypervisor's network card.
    public var queues: Int
    /// Whether the kernel moves the packets of the hypervisors' cards (`vhost=on`); bridges only.
    public var usesVhost: Bool
}

/// One hypervisor: an L1 with its own kernel, KVM and QEMU.
public struct HypervisorSpec: Sendable, Hashable {
    /// Its name: unique on this host.
    public var name: String
    /// The image it boots: a name in the image cache, or the path of an image's folder.
    public var image: String
    /// Its own memory in bytes, without that of its guests.
    public var memory: UInt64
    /// Its virtual CPUs.
    public var cpus: Int
    /// Its networks' cards exist for each network that one of its guests joins.
    public var guests: [InnerGuestSpec]
    /// Guests that may be added while it runs, beyond those named: free NVDIMM slots.
    public var spareGuests: Int
    /// Gives its vCPUs their cores for good: HLT and MWAIT without exits (`-overcommit cpu-pm=on`).
    public var keepsCores: Bool
    /// The hypervisor's own halt polling in nanoseconds; `nil` for its kernel's default.
    public var haltPolling: Int?
    /// Host PCI functions passed to it (VFIO), such as `0000:01:00.1`.
    ///
    /// They move with no refresh: a fresh hypervisor gets its own from this list's partner, see docs/limits.md.
    public var functions: [String]
    /// Further arguments of the QEMU that runs it.
    public var extraArguments: [String]
}

/// One guest of a hypervisor (L2).
public struct InnerGuestSpec: Sendable, Hashable {
    /// What the guest starts from.
    public enum Boot: Sendable, Hashable {
        /// A kernel of this host, loaded by QEMU.
        case kernel(path: String, initramfs: String?, arguments: String)
        /// Firmware finds its first disk.
        case disk
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
    /// Its disks, in order.
    public var disks: [DiskSpec]
    /// Its network cards, in order.
    public var networks: [CardSpec]
    /// Further arguments of the QEMU that runs it, inside the hypervisor.
    public var extraArguments: [String]
}

/// A disk of a guest: a file or block device of this host.
public struct DiskSpec: Sendable, Hashable {
    /// How the guest's data is laid out in it.
    public enum Format: String, Sendable, Hashable, CaseIterable {
        /// As it is.
        case raw
        /// QEMU's format, interpreted by the guest's QEMU, never by this host's.
        case qcow2
    }

    /// Its name: unique within its guest.
    public var name: String
    /// The file or block device on this host.
    public var path: String
    /// How the data is laid out.
    public var format: Format
    /// Whether the guest may only read it.
    public var isReadOnly: Bool
}

/// A network card of a guest.
public struct CardSpec: Sendable, Hashable {
    /// The network's name.
    public var network: String
    /// The card's hardware address, such as `52:54:00:12:34:01`.
    public var mac: String
}
