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
