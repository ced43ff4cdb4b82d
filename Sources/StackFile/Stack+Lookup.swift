extension Stack {
    /// Returns the memory file of a guest.
    ///
    /// - Parameter guest: The guest's name.
    /// - Returns: The file's path.
    public func memoryFile(of guest: String) -> String { "\(hyperplexor.memoryDirectory)/\(guest).ram" }

    /// Returns the image store file of a container.
    ///
    /// - Parameter container: The container's name.
    /// - Returns: The file's path.
    public func storeFile(of container: String) -> String { "\(storeDirectory)/\(container).store" }

    /// The folder for image stores; never on a hugetlbfs, which has no write(2), so that no file system can be made
    /// there.
    public var storeDirectory: String {
        switch hyperplexor.hugePages {
        case .none, .transparent: hyperplexor.memoryDirectory
        case .twoMiB, .oneGiB: "/dev/shm/hyperfresh-\(name)"
        }
    }

    /// The OS VMs, in the file's order.
    public var systems: [HypervisorSpec] { hypervisors.filter { $0.kind == .os } }

    /// The containers of all OS VMs, in the file's order; each OS VM has room for any of them.
    public var containers: [ContainerSpec] { hypervisors.flatMap(\.containers) }

    /// Returns the networks that a hypervisor's guests join, in the file's order; for an OS VM, those of all
    /// containers.
    ///
    /// A container may be relocated to any OS VM of its stack.
    ///
    /// - Parameter hypervisor: The hypervisor or OS VM.
    /// - Returns: The networks for which it needs a card.
    public func networks(of hypervisor: HypervisorSpec) -> [NetworkSpec] {
        let tenants = hypervisor.kind == .os ? containers.compactMap(\.card?.network) : []
        let joined = Set(hypervisor.guests.flatMap { $0.networks.map(\.network) } + tenants)
        return networks.filter { joined.contains($0.name) }
    }

    /// Returns this host's cores for the CPUs of a hypervisor, one for each CPU; empty if vCPUs are not pinned.
    ///
    /// The old and the new run of a hypervisor use the same cores.
    ///
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
