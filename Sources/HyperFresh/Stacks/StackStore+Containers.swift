import StackFile

extension StackStore {
    /// Where a container is: in which OS VM of its stack, and in which instance of that; `nil` when it was never started.
    ///
    /// The stack file says where it is started first; it may have been relocated since.
    func place(
        ofContainer name: String, in stack: Stack
    ) throws(HyperFreshError) -> (system: HypervisorSpec, instance: String)? {
        for system in stack.systems {
            if let instance = try survey(system.name).records().placement[name] { return (system, instance) }
        }
        return nil
    }

    /// The containers that are in an OS VM, or are to be started there: its own, but for those that were relocated away.
    ///
    /// In the stack file's order.
    ///
    /// - Throws: ``HyperFreshError`` when the placement of an OS VM cannot be relied on.
    func containers(of system: HypervisorSpec, in stack: Stack) throws(HyperFreshError) -> [ContainerSpec] {
        let own = Set(system.containers.map(\.name))
        var all: [ContainerSpec] = []
        for container in stack.containers {
            let place = try place(ofContainer: container.name, in: stack)
            if place.map({ $0.system.name == system.name }) ?? own.contains(container.name) { all.append(container) }
        }
        return all
    }
}
