import Handoff
import Journal
import Linux
import QMP
import StackFile
import VirtualMachines

/// A guest's QEMU in a hypervisor as recovery finds it.
struct InnerSide: RecoverableQEMU {
    let name: String
    let endpoint: String
    let client: QMPClient?
    let observation: SideObservation
    private let record: InstanceRecord?
    private let hypervisor: Hypervisor?
    private let unit: InnerUnit

    /// Observes the guest in an instance; it is gone if the instance is.
    static func observe(
        _ guest: String, in instance: String, of hypervisor: String, store: StackStore
    ) async throws(HyperFreshError) -> InnerSide {
        let record = try store.running(instance, of: hypervisor)
        let folder = store.folder(hypervisor, instance)
        let unit = InnerUnit(guest)
        func seen(
            _ observation: SideObservation, _ hypervisor: Hypervisor? = nil, _ client: QMPClient? = nil
        ) -> InnerSide {
            InnerSide(
                name: "guest \(guest) in instance \(instance)", endpoint: folder.relaySocket(guest), client: client,
                observation: observation, record: record, hypervisor: hypervisor, unit: unit)
        }
        guard let record else { return seen(.gone) }
        // A QEMU that cannot be asked is silent, whatever the reason; nothing is ended because of that.
        guard let reached = try? await store.reach(record) else { return seen(.silent) }
        guard await reached.agent.answers(within: .seconds(20)),
            let isActive = try? await unit.isActive(by: reached.agent)
        else { return seen(.silent, reached) }
        guard isActive else { return seen(.gone, reached) }
        // Silent, too: nothing is ended because of that.
        guard let client = try? await unit.connect(through: folder.relaySocket(guest), agent: reached.agent),
            let status = try? await client.execute(QueryStatus())
        else { return seen(.silent, reached) }
        return seen(SideObservation(status), reached, client)
    }

    func end() async throws(HyperFreshError) {
        guard let record, record.process.isAlive, observation != .gone else { return }
        do throws(HypervisorError) {
            guard let hypervisor else {
                throw HypervisorError(
                    "hypervisor \(record.hypervisor) does not answer", remedy: "See the console of the hypervisor.")
            }
            try await unit.end(by: hypervisor.agent)
        } catch {
            // Do not end the whole hypervisor because of it: other guests in it cannot be asked.
            throw InstanceEnd.silent(record, in: InstanceFolder(Paths.parent(of: endpoint)), because: error)
        }
    }

    func close() {
        client?.close()
        hypervisor?.close()
    }
}

/// The record of the instance that has the guest.
struct GuestRecordPlaces: RecoveryPlaces {
    let facts: HypervisorGuestFacts
    let store: StackStore

    func settle() async throws {
        try store.place(facts.guest, on: facts.newInstance, of: facts.hypervisor)
    }

    func strangers() throws(HyperFreshError) -> [FileHolder] {
        // Exclude all hypervisors, on record or not, asked or not: each maps the file as long as it lives. A process
        // that only tries to lock it has it open for reading.
        try FileUse.holders(of: facts.memoryFile, butFor: try store.allProcesses()).filter(\.writes)
    }
}

extension HandoffRecovery {
    /// Returns the recovery of a handoff between two hypervisors.
    static func ofHypervisorGuest(
        _ entry: HandoffEntry, state: HandoffState, facts: HypervisorGuestFacts, journal: JournalWriter,
        store: StackStore
    ) async throws(HyperFreshError) -> HandoffRecovery {
        HandoffRecovery(
            entry: entry, state: state, journal: journal,
            old: try await InnerSide.observe(facts.guest, in: facts.oldInstance, of: facts.hypervisor, store: store),
            new: try await InnerSide.observe(facts.guest, in: facts.newInstance, of: facts.hypervisor, store: store),
            places: GuestRecordPlaces(facts: facts, store: store),
            words: Words(tenant: "guest", side: "QEMU", afterLoss: StackStore.afterLoss))
    }
}
