import Linux
import StackFile
import VirtualMachines

extension StackUp {
    /// Removes anything no longer in the file, or refuses: everything that runs needs a description.
    func follow(_ old: Stack) async throws(HyperFreshError) {
        let change = try change(from: old)
        guard change.alterations.isEmpty else {
            throw HyperFreshError(
                "stack \(stack.name) is up, and these changes of its file cannot be applied while it runs",
                guestState: "Nothing was touched.",
                remedy: "Undo them, or take the stack down first. To change one guest: run `hyperfresh up "
                    + "STACK-FILE --remove-orphans` without it, refresh its hypervisor, then run `hyperfresh up "
                    + "STACK-FILE` with it.",
                evidence: change.alterations, exitCode: RefreshOutcome.blocked.exitCode)
        }
        let names =
            change.orphanedHypervisors.map { "\($0.kind) \($0.name)" }
            + change.orphanedGuests.map { "guest \($0.guest.name) in hypervisor \($0.hypervisor.name)" }
            + change.orphanedContainers.map { "container \($0.container.name) in OS VM \($0.system.name)" }
        guard names.isEmpty || orphans != .refuse else {
            throw HyperFreshError(
                "stack \(stack.name) has parts that are no longer in its file", guestState: "Nothing was touched.",
                remedy: "Put them back into the file, or have them shut down and removed: --remove-orphans.",
                evidence: names, exitCode: RefreshOutcome.blocked.exitCode)
        }
        guard case .remove(let grace) = orphans else { return }
        for hypervisor in change.orphanedHypervisors {
            let lock = try store.lock(hypervisor.name)
            defer { lock.release() }
            try await StackDown(name: old.name, store: store, grace: grace, tell: tell).takeDown(hypervisor, old)
        }
        for orphan in change.orphanedGuests { try await remove(orphan, of: old, grace: grace) }
        for orphan in change.orphanedContainers { try await remove(orphan, of: old, grace: grace) }
    }

    /// Compares the file with the stack on record.
    private func change(from old: Stack) throws(HyperFreshError) -> StackChange {
        var surveys: [String: HypervisorSurvey] = [:]
        var placements: [String: [String: String]] = [:]
        var systems: [String: HypervisorSpec] = [:]
        for spec in old.hypervisors {
            let survey = try store.survey(spec.name)
            surveys[spec.name] = survey
            placements[spec.name] = try survey.records().placement
        }
        for container in old.containers {
            systems[container.name] = try store.place(ofContainer: container.name, in: old)?.system
        }
        return StackChange(
            from: old, to: stack, isUp: { surveys[$0.name]?.instances.isEmpty == false },
            isPlaced: { placements[$1.name]?[$0.name] != nil }, systemOf: { systems[$0.name] })
    }

    private func remove(
        _ orphan: StackChange.ContainerOrphan, of old: Stack, grace: Duration
    ) async throws(HyperFreshError) {
        let (container, spec) = (orphan.container, orphan.system)
        let lock = try store.lock(spec.name)
        defer { lock.release() }
        // If its OS VM died, there is nothing to stop.
        if let record = try running(spec) {
            let hypervisor = try await reach(record, spec)
            defer { hypervisor.close() }
            try await step("container \(container.name) is removed from \(spec.name)") { () throws(HyperFreshError) in
                try await ContainerPlacement(stack: old, container: container, hypervisor: hypervisor)
                    .remove(grace: grace)
            }
        } else {
            try ContainerStoreFile(container, in: old).remove()
        }
        try record(container.name, on: nil, of: spec)
    }

    private func remove(_ orphan: StackChange.Orphan, of old: Stack, grace: Duration) async throws(HyperFreshError) {
        let (guest, spec) = (orphan.guest, orphan.hypervisor)
        let lock = try store.lock(spec.name)
        defer { lock.release() }
        // If its hypervisor died, there is nothing to shut down.
        if let record = try running(spec) {
            let hypervisor = try await reach(record, spec)
            defer { hypervisor.close() }
            try await step("guest \(guest.name) is removed from \(spec.name)") { () throws(HyperFreshError) in
                let placement = GuestPlacement(stack: old, guest: guest, hypervisor: hypervisor)
                try await GuestRemoval(placement: placement, grace: grace).run()
            }
        } else {
            try GuestMemoryFile(guest, in: old).remove()
        }
        try record(guest.name, on: nil, of: spec)
    }
}

// MARK: - Containers

extension StackUp {
    /// Starts the containers of an OS VM: those that are nowhere yet, and its own that have ended.
    ///
    /// - Parameters:
    ///   - hypervisor: The OS VM.
    ///   - spec: Its description.
    ///   - made: Receives the files that were created for it.
    /// - Returns: The number of containers started.
    /// - Throws: ``HyperFreshError``; nothing is left of a container that could not be started, except for its NVDIMM.
    func startContainers(
        in hypervisor: Hypervisor, _ spec: HypervisorSpec, made: inout [ContainerStoreFile]
    ) async throws(HyperFreshError) -> Int {
        var started = 0
        for container in try store.containers(of: spec, in: stack) {
            let placement = ContainerPlacement(stack: stack, container: container, hypervisor: hypervisor)
            let place = try store.place(ofContainer: container.name, in: stack)
            if place?.instance == hypervisor.record.id, try await placement.hasProcesses() { continue }
            let isMade = try await makeStore(
                placement, isLost: place.map { $0.instance != hypervisor.record.id } ?? false)
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

    /// Removes a container that could not be started, if its processes are certainly gone.
    private func undoing(
        _ placement: ContainerPlacement, isMade: Bool, after failure: HyperFreshError
    ) async -> HyperFreshError {
        do throws(HyperFreshError) {
            try await placement.stop(grace: .zero)
            try await placement.vacate()
            await placement.shareServer.end()
            // The NVDIMM cannot be unplugged: the OS VM still maps the file, but does not use it.
            if isMade { try placement.storeFile.remove(butFor: placement.processes) }
            return failure
        } catch {
            return failure.adding(evidence: [error.message] + error.evidence)
        }
    }

    /// Creates a container's image store, or uses the existing one, which is attached wherever the container has been.
    ///
    /// - Parameters:
    ///   - placement: The container's place.
    ///   - isLost: Whether the OS VM that had the container died, maybe while it wrote to the store.
    /// - Returns: Whether it was created.
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

    /// Throws if a container that is on record as lost may run in another OS VM: its store is in use then, and it must
    /// not be started a second time.
    private func refuseRunning(_ placement: ContainerPlacement) async throws(HyperFreshError) {
        let name = placement.container.name
        // The virtiofsd of another OS VM maps the store exactly as long as that OS VM does, which is asked itself.
        let known = placement.processes.union(ShareServer.processes(below: "\(store.stateDirectory)/hypervisors"))
        for holder in try FileUse.holders(of: placement.storeFile.path, butFor: known) {
            if let idle = try await isIdle(holder.process, of: name), idle { continue }
            throw HyperFreshError(
                "container \(name) may run: its image store is in use by \(holder)", guestState: "Nothing was touched.",
                remedy: "Run `hyperfresh recover`: it finds out where the container is.",
                exitCode: RefreshOutcome.blocked.exitCode
            )
        }
    }

    /// Returns whether an OS VM reports that it has no process of the container; nil if the process is no OS VM of this
    /// stack.
    private func isIdle(_ process: ProcessIdentity, of container: String) async throws(HyperFreshError) -> Bool? {
        for spec in stack.systems {
            for record in try store.survey(spec.name).records().alive where record.process == process {
                let system = try await reach(record, spec)
                defer { system.close() }
                do throws(HypervisorError) {
                    return try await !system.agent.tenants().containers.contains(container)
                } catch {
                    throw HyperFreshError(error, in: "container \(container)")
                }
            }
        }
        return nil
    }

    /// Throws if the store of a removed container with the same name is still attached.
    private func refuseUsedName(_ placement: ContainerPlacement) async throws(HyperFreshError) {
        let name = placement.hypervisor.record.hypervisor
        do throws(HypervisorError) {
            guard try await placement.hypervisor.hasMemory(of: placement.container.name) else { return }
        } catch {
            throw HyperFreshError(error, in: "container \(placement.container.name)")
        }
        throw HyperFreshError(
            "OS VM \(name) had a container \(placement.container.name) before, whose image store cannot be unplugged",
            guestState: "The other containers keep running.",
            remedy: "Run `hyperfresh refresh os \(name)`; then \(placement.container.name) can be added. Or give it "
                + "another name.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }
}

/// The treatment of guests, containers, hypervisors and OS VMs that are no longer in a stack file.
public enum OrphanPolicy: Sendable, Hashable {
    /// `up` reports them and changes nothing.
    case refuse
    /// `up` shuts them down and removes them; it kills guests and containers that take longer than `grace`.
    case remove(grace: Duration)
}

/// The changes of a stack file to a stack that is up, except for mere additions.
///
/// The record of a stack has to describe everything of it that runs, because `refresh` and `down` rely on it.
struct StackChange {
    /// A guest with a placement in a hypervisor, which is no longer in the file.
    struct Orphan {
        let guest: InnerGuestSpec
        /// The hypervisor as it was at the last `up`.
        let hypervisor: HypervisorSpec
    }

    /// A container in an OS VM, which is no longer in the file.
    struct ContainerOrphan {
        let container: ContainerSpec
        /// The OS VM that has it, as it was at the last `up`.
        let system: HypervisorSpec
    }

    /// The guests to remove.
    var orphanedGuests: [Orphan] = []
    /// The containers to remove from OS VMs that stay.
    var orphanedContainers: [ContainerOrphan] = []
    /// The hypervisors to take down, with everything in them.
    var orphanedHypervisors: [HypervisorSpec] = []
    /// The changes that cannot be applied to running parts, such as "guest web: memory".
    var alterations: [String] = []

    /// Compares two descriptions of a stack.
    ///
    /// - Parameters:
    ///   - old: The stack as it was at the last `up`.
    ///   - new: The stack as the file describes it now.
    ///   - isUp: Whether a hypervisor has any instance.
    ///   - isPlaced: Whether a guest has a placement in a hypervisor.
    ///   - systemOf: The OS VM that has a container; `nil` if none has it.
    init(
        from old: Stack, to new: Stack, isUp: (HypervisorSpec) -> Bool,
        isPlaced: (InnerGuestSpec, HypervisorSpec) -> Bool,
        systemOf: (ContainerSpec) -> HypervisorSpec? = { _ in nil }
    ) {
        let running = old.hypervisors.filter(isUp)
        if !running.isEmpty, old.hyperplexor != new.hyperplexor { alterations.append("hyperplexor") }
        for hypervisor in running {
            guard let wanted = new.hypervisors.first(where: { $0.name == hypervisor.name }) else {
                orphanedHypervisors.append(hypervisor)
                continue
            }
            if wanted.kind != hypervisor.kind {
                alterations.append("\(hypervisor.kind) \(hypervisor.name) is a \(wanted.kind) now")
                continue
            }
            for guest in hypervisor.guests where isPlaced(guest, hypervisor) {
                guard let same = wanted.guests.first(where: { $0.name == guest.name }) else {
                    orphanedGuests.append(Orphan(guest: guest, hypervisor: hypervisor))
                    continue
                }
                let keys = guest.keys(otherThanIn: same)
                if !keys.isEmpty { alterations.append("guest \(guest.name): \(keys.joined(separator: ", "))") }
            }
        }
        compareContainers(from: old, to: new, systemOf: systemOf)
    }

    /// Compares the containers; a running one may have been relocated, so the file does not determine its OS VM.
    private mutating func compareContainers(
        from old: Stack, to new: Stack, systemOf: (ContainerSpec) -> HypervisorSpec?
    ) {
        for container in old.containers {
            guard let system = systemOf(container),
                !orphanedHypervisors.contains(where: { $0.name == system.name })
            else { continue }
            guard let same = new.containers.first(where: { $0.name == container.name }) else {
                orphanedContainers.append(ContainerOrphan(container: container, system: system))
                continue
            }
            let keys = container.keys(otherThanIn: same)
            if !keys.isEmpty { alterations.append("container \(container.name): \(keys.joined(separator: ", "))") }
        }
    }
}

extension InnerGuestSpec {
    /// Returns the keys, as named in a stack file, whose values differ.
    fileprivate func keys(otherThanIn other: InnerGuestSpec) -> [String] {
        let keys: [(String, Bool)] = [
            ("memory", memory == other.memory), ("cpus", cpus == other.cpus), ("machine", machine == other.machine),
            ("cpu-model", cpuModel == other.cpuModel), ("boot", boot == other.boot),
            ("console", console == other.console), ("virtio", virtio == other.virtio), ("disks", disks == other.disks),
            ("networks", networks == other.networks), ("extra-arguments", extraArguments == other.extraArguments),
        ]
        return keys.filter { !$0.1 }.map(\.0)
    }
}

extension ContainerSpec {
    /// Returns the keys, as named in a stack file, whose values differ.
    fileprivate func keys(otherThanIn other: ContainerSpec) -> [String] {
        let keys = [
            ("bundle", bundle == other.bundle), ("memory", memory == other.memory), ("network", card == other.card),
        ]
        return keys.filter { !$0.1 }.map(\.0)
    }
}
