import Linux
import StackFile
import VirtualMachines

extension StackUp {
    /// Starts what an OS VM shall have: containers that are nowhere yet, and those of its own that have ended.
    ///
    /// - Parameters:
    ///   - hypervisor: The OS VM.
    ///   - spec: Its description.
    ///   - made: Takes the files that were made for it.
    /// - Returns: How many containers were started.
    /// - Throws: ``HyperFreshError``; of the container that could not be started nothing is left, but for its NVDIMM.
    func startContainers(
        in hypervisor: Hypervisor, _ spec: HypervisorSpec, made: inout [ContainerStoreFile]
    ) async throws(HyperFreshError) -> Int {
        var started = 0
        for container in try store.containers(of: spec, in: stack) {
            let placement = ContainerPlacement(stack: stack, container: container, hypervisor: hypervisor)
            let place = try store.place(ofContainer: container.name, in: stack)
            if place?.instance == hypervisor.record.id, try await placement.hasProcesses() { continue }
            let isMade = try await makeStore(placement, isLost: place.map { $0.instance != hypervisor.record.id } ?? false)
            if isMade { made.append(placement.storeFile) }
            do throws(HyperFreshError) {
                try await step("container \(container.name) starts on \(spec.name)") { () throws(HyperFreshError) in
                    try await placement.makeReady()
                    try await placement.start()
                }
                try record(container.name, on: hypervisor.record.id, of: spec)
            } catch {
                throw await undoing(placement, isMade: isMade, after: error)
            }
            started += 1
        }
        return started
    }

    /// Takes away a container that could not be started, if its processes are gone for sure.
    private func undoing(
        _ placement: ContainerPlacement, isMade: Bool, after failure: HyperFreshError
    ) async -> HyperFreshError {
        do throws(HyperFreshError) {
            try await placement.stop(grace: .zero)
            try await placement.vacate()
            await placement.shareServer.end()
            // The NVDIMM cannot be unplugged: the OS VM maps the file, and does not use it.
            if isMade { try placement.storeFile.remove(butFor: placement.processes) }
            return failure
        } catch {
            return failure.adding(evidence: [error.message] + error.evidence)
        }
    }

    /// Makes a container's image store, or takes the one that is there: it is attached wherever the container was.
    ///
    /// - Parameters:
    ///   - placement: The container's place.
    ///   - isLost: Whether the OS VM that had the container died, maybe while it wrote to the store.
    /// - Returns: Whether it was made.
    /// - Throws: ``HyperFreshError``.
    private func makeStore(_ placement: ContainerPlacement, isLost: Bool) async throws(HyperFreshError) -> Bool {
        guard Files.exists(placement.storeFile.path) else {
            try await refuseUsedName(placement)
            try await placement.storeFile.create()
            return true
        }
        try placement.storeFile.verify()
        if isLost {
            try await refuseRunning(placement)
            try await placement.storeFile.format()
        }
        return false
    }

    /// A container that is on record as lost may run in another OS VM: then its store is in use, and its start would be a second one.
    private func refuseRunning(_ placement: ContainerPlacement) async throws(HyperFreshError) {
        let name = placement.container.name
        // What serves another OS VM has the store if, and as long as, that has: it is asked itself.
        let known = placement.processes.union(ShareServer.processes(below: "\(store.stateDirectory)/hypervisors"))
        for holder in try FileUse.holders(of: placement.storeFile.path, butFor: known) {
            if let idle = try await isIdle(holder.process, of: name), idle { continue }
            throw HyperFreshError(
                "container \(name) may run: its image store is in use by \(holder)", guestState: "Nothing was touched.",
                remedy: "Run `hyperfresh recover`: it finds out where it is.", exitCode: RefreshOutcome.blocked.exitCode
            )
        }
    }

    /// Whether an OS VM, by its own word, has no process of the container; nil for a process that is no OS VM of this stack.
    private func isIdle(_ process: ProcessIdentity, of container: String) async throws(HyperFreshError) -> Bool? {
        for spec in stack.systems {
            for record in try store.survey(spec.name).records().alive where record.process == process {
                let system = try await reach(record, spec)
                defer { system.close() }
                do throws(HypervisorError) {
                    return try await !system.agent.tenants().containers.contains(container)
                } catch {
                    throw HyperFreshError(error)
                }
            }
        }
        return nil
    }

    /// The store of a container that was removed is still attached, and it is not the new one's.
    private func refuseUsedName(_ placement: ContainerPlacement) async throws(HyperFreshError) {
        let name = placement.hypervisor.record.hypervisor
        do throws(HypervisorError) {
            guard try await placement.hypervisor.hasMemory(of: placement.container.name) else { return }
        } catch {
            throw HyperFreshError(error)
        }
        throw HyperFreshError(
            "OS VM \(name) had a container \(placement.container.name) before, whose image store cannot be unplugged from it",
            guestState: "The other containers run on.",
            remedy: "Run `hyperfresh refresh os \(name)`: \(placement.container.name) can be added to the fresh one. Or "
                + "give it another name.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }
}
