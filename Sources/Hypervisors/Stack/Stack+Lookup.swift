extension Stack {
    /// The memory file of a guest.
    ///
    /// - Parameter guest: The guest's name.
    /// - Returns: The file's path.
    public func memoryFile(of guest: String) -> String { "\(hyperplexor.memoryDirectory)/\(guest).ram" }

    /// The file with a container's image store.
    ///
    /// - Parameter container: The container's name.
    /// - Returns: The file's path.
    public func storeFile(of container: String) -> String { "\(storeDirectory)/\(container).store" }

    /// Where image stores lie: a file system is not made on a hugetlbfs, which knows no write(2).
    public var storeDirectory: String {
        switch hyperplexor.hugePages {
        case .none, .transparent: hyperplexor.memoryDirectory
        case .twoMiB, .oneGiB: "/dev/shm/hyperfresh-\(name)"
        }
    }

    /// The OS VMs, in the file's order.
    public var systems: [HypervisorSpec] { hypervisors.filter { $0.kind == .os } }

    /// The containers of all OS VMs, in the file's order: each OS VM has room for any of them.
    public var containers: [ContainerSpec] { hypervisors.flatMap(\.containers) }

    /// The networks that a hypervisor's guests join, in the file's order; those of all containers for an OS VM.
    ///
    /// A container may be relocated to any OS VM of its stack.
    ///
    /// - Parameter hypervisor: The hypervisor or OS VM.
    /// - Returns: The networks that it needs a card for.
    public func networks(of hypervisor: HypervisorSpec) -> [NetworkSpec] {
        let tenants = hypervisor.kind == .os ? containers.compactMap(\.card?.network) : []
        let joined = Set(hypervisor.guests.flatMap { $0.networks.map(\.network) } + tenants)
        return networks.filter { joined.contains($0.name) }
    }

    /// This host's cores for the CPUs of a hypervisor, one for each; empty for no pinning.
    ///
    /// Old and new run of a hypervisor have the same cores.
    /// - Parameter hypervisor: The hypervisor's name.
    /// - Returns: The cores' numbers.
    public func cores(of hypervisor: String) -> [Int] {
        var rest = hyperplexor.cores[...]
        for candidate in hypervisors {
            if candidate.name == hypervisor { return Array(rest.prefix(candidate.cpus)) }
            rest = rest.dropFirst(candidate.cpus)
        }
        return []
    }
}
