/// How a hypervisor's machine is laid out for its own memory and for what is plugged into it.
struct MemoryPlan {
    /// Its own memory in bytes.
    let own: UInt64
    /// How many NVDIMMs fit.
    let slots: Int
    /// The most memory in bytes, its own included.
    let most: UInt64

    init(_ hypervisor: HypervisorSpec) {
        let sizes = hypervisor.guests.map { MemoryFileShape(memory: $0.memory).fileSize }
        // A spare guest may be as large as the largest that is named, and 4 GiB at least; unused room costs nothing.
        let spare = max(sizes.max() ?? 0, 4 << 30)
        own = hypervisor.memory
        slots = hypervisor.guests.count + hypervisor.spareGuests
        most = own + sizes.reduce(0, +) + UInt64(hypervisor.spareGuests) * spare
    }
}
