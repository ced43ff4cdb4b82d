extension Stack {
    /// The memory file of a guest.
    ///
    /// - Parameter guest: The guest's name.
    /// - Returns: The file's path.
    public func memoryFile(of guest: String) -> String { "\(hyperplexor.memoryDirectory)/\(guest).ram" }

    /// The networks that a hypervisor's guests join, in the file's order.
    ///
    /// - Parameter hypervisor: The hypervisor.
    /// - Returns: The networks that it needs a card for.
    public func networks(of hypervisor: HypervisorSpec) -> [NetworkSpec] {
        let joined = Set(hypervisor.guests.flatMap { $0.networks.map(\.network) })
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
