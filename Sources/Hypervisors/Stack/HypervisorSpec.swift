/// One L1 with its own kernel: a hypervisor, whose tenants are guests, or an OS VM, whose tenants are containers.
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
    /// A hypervisor that holds one is not refreshed: a function has one owner, and two hypervisors would need it.
    public var functions: [String]
    /// Further arguments of the QEMU that runs it.
    public var extraArguments: [String]
    /// A hypervisor has guests, an OS VM (`systems` of a stack file) has containers.
    public var kind = HypervisorKind.hypervisor
    /// The containers of an OS VM, in the file's order, where they are first started.
    ///
    /// A container that was relocated is in another OS VM of its stack: the placement on record says in which.
    public var containers: [ContainerSpec] = []
}
