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

        /// The size of a page in bytes, of which a memory file has a whole number.
        public var pageSize: UInt64 {
            switch self {
            case .none: 4096
            case .transparent, .twoMiB: 2 << 20
            case .oneGiB: 1 << 30
            }
        }
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
