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
