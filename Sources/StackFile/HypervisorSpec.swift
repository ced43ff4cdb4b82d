/// One L1 with its own kernel: a hypervisor, which runs guests, or an OS VM, which runs containers.
public struct HypervisorSpec: Sendable, Hashable {
    /// Its name: unique on this host.
    public var name: String
    /// The image it boots: a name in the image cache, or the path of an image's folder.
    public var image: String
    /// Its own memory in bytes, without guests' memory.
    public var memory: UInt64
    /// The number of its virtual CPUs.
    public var cpus: Int
    /// Its guests; it gets a card on each network that one of them joins.
    public var guests: [InnerGuestSpec]
    /// The number of guests that can be added while it runs, in addition to the named ones: free NVDIMM slots.
    public var spareGuests: Int
    /// Whether its vCPUs keep their cores when idle: HLT and MWAIT without exits (`-overcommit cpu-pm=on`).
    public var keepsCores: Bool
    /// Halt polling inside the hypervisor in nanoseconds; `nil` for its kernel's default.
    public var haltPolling: Int?
    /// PCI functions of this host passed to it with VFIO, such as `0000:01:00.1`.
    ///
    /// A hypervisor with functions cannot be refreshed: old and new hypervisor would both need the function, but it has
    /// one owner.
    public var functions: [String]
    /// Further arguments of the QEMU that runs it.
    public var extraArguments: [String]
    /// A hypervisor runs guests; an OS VM (`systems` in a stack file) runs containers.
    public var kind = HypervisorKind.hypervisor
    /// The containers of an OS VM, in the file's order; they start there at first.
    ///
    /// A container that was relocated runs in another OS VM of its stack; the placement record names it.
    public var containers: [ContainerSpec] = []
}

/// The kind of an L1.
///
/// The raw value is used in commands and in JSON, the description in sentences.
public enum HypervisorKind: String, Sendable, Hashable, CustomStringConvertible {
    /// It runs guests on QEMU and KVM.
    case hypervisor
    /// It runs containers.
    case os

    /// `hypervisor` or `OS VM`.
    public var description: String { self == .os ? "OS VM" : "hypervisor" }

    /// The kind of what it runs: `guest` or `container`.
    public var tenant: String { self == .os ? "container" : "guest" }
}

/// How this host runs hypervisors.
public struct HyperplexorSpec: Sendable, Hashable {
    /// The accelerator of a QEMU.
    public enum Accelerator: String, Sendable, Hashable, CaseIterable {
        /// KVM if this host supports nesting, otherwise TCG.
        case auto
        /// KVM with nesting; otherwise an error.
        case kvm
        /// TCG; it also emulates AMD's SVM for the hypervisor's own KVM.
        case tcg
    }

    /// The page size of guest memory.
    public enum HugePages: String, Sendable, Hashable, CaseIterable {
        /// Ordinary pages.
        case none
        /// Transparent huge pages in a tmpfs; its `huge=` mount option or shmem_enabled has to allow them.
        case transparent
        /// 2 MiB pages: the memory folder is on a hugetlbfs of this page size.
        case twoMiB = "2M"
        /// 1 GiB pages: the memory folder is on a hugetlbfs of this page size.
        case oneGiB = "1G"

        /// The page size in bytes; the size of a memory file is a multiple of it.
        public var pageSize: UInt64 {
            switch self {
            case .none: 4096
            case .transparent, .twoMiB: 2 << 20
            case .oneGiB: 1 << 30
            }
        }
    }

    /// The folder for memory files: on a tmpfs or a hugetlbfs.
    ///
    /// It is created with mode 0700.
    public var memoryDirectory: String
    /// The page size of guest memory.
    public var hugePages: HugePages
    /// The cores of this host for hypervisors' vCPUs, in the file's order; if empty, vCPUs are not pinned.
    public var cores: [Int]
    /// The accelerator of hypervisors.
    public var accelerator: Accelerator
    /// The path of the QEMU that runs hypervisors.
    public var qemu: String
}
