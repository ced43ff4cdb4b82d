import Hypervisors
import Linux

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
            let seat = ContainerSeat(stack: stack, container: container, hypervisor: hypervisor)
            let place = try store.place(ofContainer: container.name, in: stack)
            if place?.instance == hypervisor.record.id, try await seat.hasProcesses() { continue }
            let isMade = try await makeStore(seat, isLost: place.map { $0.instance != hypervisor.record.id } ?? false)
            if isMade { made.append(seat.storeFile) }
            do throws(HyperFreshError) {
                try await step("container \(container.name) starts on \(spec.name)") { () throws(HyperFreshError) in
                    try await seat.makeReady()
                    try await seat.start()
                }
                try record(container.name, on: hypervisor.record.id, of: spec)
            } catch {
                throw await undoing(seat, isMade: isMade, after: error)
            }
            started += 1
        }
        return started
    }

    /// Takes away a container that could not be started, if its processes are gone for sure.
    private func undoing(
        _ seat: ContainerSeat, isMade: Bool, after failure: HyperFreshError
    ) async -> HyperFreshError {
        do throws(HyperFreshError) {
            try await seat.stop(grace: .zero)
            try await seat.vacate()
            await seat.shareServer.end()
            // The NVDIMM cannot be unplugged: the OS VM maps the file, and does not use it.
            if isMade { try seat.storeFile.remove(butFor: seat.processes) }
            return failure
        } catch {
            return failure.adding(evidence: [error.message] + error.evidence)
        }
    }

    /// Makes a container's image store, or takes the one that is there: it is attached wherever the container was.
    ///
    /// - Parameters:
    ///   - seat: The container's place.
    ///   - isLost: Whether the OS VM that had the container died, maybe while it wrote to the store.
    /// - Returns: Whether it was made.
    /// - Throws: ``HyperFreshError``.
    private func makeStore(_ seat: ContainerSeat, isLost: Bool) async throws(HyperFreshError) -> Bool {
        guard Files.exists(seat.storeFile.path) else {
            try await refuseUsedName(seat)
            try await seat.storeFile.create()
            return true
        }
        try seat.storeFile.verify()
        if isLost {
            try await refuseRunning(seat)
            try await seat.storeFile.format()
        }
        return false
    }

    /// A container that is on record as lost may run in another OS VM: then its store is in use, and its start would be a second one.
    private func refuseRunning(_ seat: ContainerSeat) async throws(HyperFreshError) {
        let name = seat.container.name
        // What serves another OS VM has the store if, and as long as, that has: it is asked itself.
        let known = seat.processes.union(ShareServer.processes(below: "\(store.stateDirectory)/hypervisors"))
        for holder in try FileUse.holders(of: seat.storeFile.path, butFor: known) {
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
    private func refuseUsedName(_ seat: ContainerSeat) async throws(HyperFreshError) {
        let name = seat.hypervisor.record.hypervisor
        do throws(HypervisorError) {
            guard try await seat.hypervisor.hasMemory(of: seat.container.name) else { return }
        } catch {
            throw HyperFreshError(error)
        }
        throw HyperFreshError(
            "OS VM \(name) had a container \(seat.container.name) before, whose image store cannot be unplugged from it",
            guestState: "The other containers run on.",
            remedy: "Run `hyperfresh refresh os \(name)`: \(seat.container.name) can be added to the fresh one. Or "
                + "give it another name.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }
}
