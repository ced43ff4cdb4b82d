import Containers
import Glibc
import Handoff
import Journal
import Linux
import StackFile
import VirtualMachines

/// One side of a container's relocation, as recovery finds it.
struct ContainerSide: RecoverableSide {
    let name: String
    let endpoint: String
    let observation: SideObservation
    private let record: InstanceRecord?
    private let system: Hypervisor?
    private let place: ContainerPlace?

    /// Observes the container in an instance; it is gone if the instance is.
    static func observe(
        _ container: ContainerSpec, in instance: String, of system: String, store: StackStore
    ) async throws(HyperFreshError) -> ContainerSide {
        let record = try store.running(instance, of: system)
        let folder = store.folder(system, instance)
        func seen(_ observation: SideObservation, _ reached: Hypervisor? = nil) -> ContainerSide {
            ContainerSide(
                name: "container \(container.name) in instance \(instance) of \(system)", endpoint: folder.agentSocket,
                observation: observation, record: record, system: reached,
                place: reached.map { ContainerPlace(container, in: $0) })
        }
        guard let record else { return seen(.gone) }
        // A side that cannot be asked is silent, whatever the reason.
        guard let reached = try? await store.reach(record) else { return seen(.silent) }
        guard await reached.agent.answers(within: .seconds(20)),
            let observation = try? await ContainerPlace(container, in: reached).observe()
        else { return seen(.silent, reached) }
        return seen(SideObservation(observation), reached)
    }

    func end() async throws(HyperFreshError) {
        guard let record, record.process.isAlive else { return }
        guard let place else {
            throw HyperFreshError(
                "\(name) cannot be ended",
                remedy:
                    "Its OS VM does not answer: see its console. When it answers again, run `hyperfresh recover`. If "
                    + "you need nothing in it: `hyperfresh recover --force \(record.runName)` kills it with all its "
                    + "containers.",
                exitCode: RefreshOutcome.unknown.exitCode)
        }
        do throws(HypervisorError) { try await place.end() } catch { throw HyperFreshError(error, in: name) }
    }

    func restore(resume: Bool, of entry: HandoffEntry) async throws -> HandoffRecovery.Conclusion? {
        try await place?.takeBack(thaw: resume)
        return nil
    }

    func run(resume: Bool, of entry: HandoffEntry) async throws {
        if resume { try await place?.resume() }
        // This only updates runc's own record; the container runs without it.
        try? await place?.adopt()
    }

    func close() { system?.close() }
}

/// The record of the instance that has the container.
struct ContainerRecordPlaces: RecoveryPlaces {
    let facts: ContainerFacts
    let store: StackStore

    func settle() async throws {
        try store.move(
            facts.container, from: (facts.oldSystem, facts.oldInstance), to: (facts.newSystem, facts.newInstance))
    }

    func recordLoss() async throws { try await settle() }

    func strangers() throws(HyperFreshError) -> [FileHolder] {
        // Every OS VM that had the container maps the file as long as it lives. A process that only tries to lock it
        // has it open for reading.
        try FileUse.holders(of: facts.storeFile, butFor: try store.allProcesses()).filter(\.writes)
    }
}

extension SideObservation {
    init(_ observation: ContainerObservation) {
        self =
            switch observation {
            case .gone: .gone
            case .running: .running
            // Its images may be complete, and it is never resumed automatically.
            case .frozen: .handedOver
            case .stopped: .paused
            case .arriving: .waiting
            }
    }
}

extension HandoffRecovery {
    /// Returns the recovery of a container's relocation; `nil` if the stack has no such container.
    static func ofContainer(
        _ entry: HandoffEntry, state: HandoffState, facts: ContainerFacts, journal: JournalWriter, store: StackStore
    ) async throws(HyperFreshError) -> HandoffRecovery? {
        let stack = try store.stack(facts.stack)
        guard let container = stack.containers.first(where: { $0.name == facts.container }) else { return nil }
        return HandoffRecovery(
            entry: entry, state: state, journal: journal,
            old: try await ContainerSide.observe(container, in: facts.oldInstance, of: facts.oldSystem, store: store),
            new: try await ContainerSide.observe(container, in: facts.newInstance, of: facts.newSystem, store: store),
            places: ContainerRecordPlaces(facts: facts, store: store),
            words: Words(tenant: "container", side: "OS VM", afterLoss: StackStore.afterLoss))
    }
}

extension StackStore {
    /// Records that another instance, perhaps of another OS VM, has a container.
    ///
    /// Adds the new place before it removes the old one: in between, the container is on record twice rather than not
    /// at all.
    func move(
        _ container: String, from old: (system: String, instance: String), to new: (system: String, instance: String)
    ) throws(HyperFreshError) {
        try place(container, on: new.instance, of: new.system)
        if old.system != new.system { try place(container, on: nil, of: old.system) }
    }

    func move(_ container: String, from old: InstanceRecord, to new: InstanceRecord) throws(HyperFreshError) {
        try move(container, from: (old.hypervisor, old.id), to: (new.hypervisor, new.id))
    }
}
