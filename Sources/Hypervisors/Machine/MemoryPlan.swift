/// How a hypervisor's machine is laid out for its own memory and for what is plugged into it.
struct MemoryPlan {
    /// Its own memory in bytes.
    let own: UInt64
    /// How many NVDIMMs fit.
    let slots: Int
    /// The most memory in bytes, its own included.
    let most: UInt64

    /// How many containers can be added to a stack while its OS VMs run.
    static let spareContainers = 2

    init(_ hypervisor: HypervisorSpec, in stack: Stack) {
        let stores = hypervisor.kind == .os ? stack.containers.map { StoreFileShape(memory: $0.memory).fileSize } : []
        let sizes = stores + hypervisor.guests.map { MemoryFileShape(memory: $0.memory).fileSize }
        let spares = hypervisor.kind == .os ? Self.spareContainers : hypervisor.spareGuests
        // A spare tenant may be as large as the largest that is named, and 4 GiB at least; unused room costs nothing.
        let spare = max(sizes.max() ?? 0, 4 << 30)
        own = hypervisor.memory
        slots = sizes.count + spares
        most = own + sizes.reduce(0, +) + UInt64(spares) * spare
    }
}
