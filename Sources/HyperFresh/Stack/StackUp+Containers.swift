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
        for container in store.containers(of: spec, in: stack) {
            let seat = ContainerSeat(stack: stack, container: container, hypervisor: hypervisor)
            let place = store.place(ofContainer: container.name, in: stack)
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
                try? await seat.stop(grace: .zero)
                try? await seat.vacate()
                await seat.shareServer.end()
                // The NVDIMM cannot be unplugged: the file goes with the last who maps it.
                if isMade { seat.storeFile.remove() }
                throw error
            }
            started += 1
        }
        return started
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
        if isLost { try await seat.storeFile.format() }
        return false
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
