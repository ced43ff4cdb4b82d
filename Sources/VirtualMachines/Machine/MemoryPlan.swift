public import StackFile

/// Sizes a hypervisor's machine: its own memory, and room for the memory that is plugged in later.
struct MemoryPlan {
    /// Its own memory in bytes.
    let own: UInt64
    /// The number of NVDIMM slots.
    let slots: Int
    /// The maximum memory in bytes, its own included.
    let most: UInt64

    /// The number of containers that can be added to a stack while its OS VMs run.
    static let spareContainers = 2

    init(_ hypervisor: HypervisorSpec, in stack: Stack) {
        let stores = hypervisor.kind == .os ? stack.containers.map { StoreFileShape(memory: $0.memory).fileSize } : []
        let sizes = stores + hypervisor.guests.map { MemoryFileShape(memory: $0.memory).fileSize }
        let spares = hypervisor.kind == .os ? Self.spareContainers : hypervisor.spareGuests
        // A spare guest or container may be as large as the largest named one, and at least 4 GiB; unused room costs
        // nothing.
        let spare = max(sizes.max() ?? 0, 4 << 30)
        own = hypervisor.memory
        slots = sizes.count + spares
        most = own + sizes.reduce(0, +) + UInt64(spares) * spare
    }
}
