import Containers
import Glibc
import Handoff
import Journal
import Linux
import StackFile
import VirtualMachines

/// A container in an OS VM as recovery finds it.
struct ContainerSide: RecoverableSide {
    let name: String
    let endpoint: String
    let observation: SideObservation
    private let record: InstanceRecord?
    private let system: Hypervisor?
    private let place: ContainerPlace?

    /// Looks at the container in an instance; gone when the instance is.
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
        // What cannot be asked is silent, whatever the reason.
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
                    "Its OS VM does not answer: see its console. When it answers again: `hyperfresh recover`. If nothing in it is "
                    + "needed: `hyperfresh recover --force \(record.runName)` ends it with all that is in it.",
                exitCode: RefreshOutcome.unknown.exitCode)
        }
        do throws(HypervisorError) { try await place.end() } catch { throw HyperFreshError(error) }
    }

    func restore(resume: Bool, of entry: HandoffEntry) async throws -> HandoffRecovery.Conclusion? {
        try await place?.takeBack(thaw: resume)
        return nil
    }

    func run(resume: Bool, of entry: HandoffEntry) async throws {
        if resume { try await place?.resume() }
        // runc's own view of it: the container runs without.
        try? await place?.adopt()
    }

    func close() { system?.close() }
}

/// Which instance has the container.
struct ContainerRecordPlaces: RecoveryPlaces {
    let facts: ContainerFacts
    let store: StackStore

    func settle() async throws {
        try store.move(
            facts.container, from: (facts.oldSystem, facts.oldInstance), to: (facts.newSystem, facts.newInstance))
    }

    func bury() async throws { try await settle() }

    func strangers() throws(HyperFreshError) -> [FileHolder] {
        // Every OS VM that had it maps it as long as it lives.
        // Whoever only tries for its lock has it open for reading.
        try FileUse.holders(of: facts.storeFile, butFor: try store.allProcesses()).filter(\.writes)
    }
}

extension SideObservation {
    init(_ observation: ContainerObservation) {
        self =
            switch observation {
            case .gone: .gone
            case .running: .running
            // Its images may be complete: nobody resumes it by himself.
            case .frozen: .handedOver
            case .stopped: .paused
            case .arriving: .waiting
            }
    }
}

extension HandoffRecovery {
    /// The recovery of a container's relocation.
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
    /// Remembers that another instance, perhaps of another OS VM, has a container.
    ///
    /// First where it is, then where it is not any more: in between it is on record twice rather than not at all.
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
