import Handoff
import Hypervisors
import Journal
import Linux
import QMP

/// A guest's QEMU in a hypervisor as recovery finds it.
struct InnerSide: RecoverableQEMU {
    let name: String
    let endpoint: String
    let client: QMPClient?
    let observation: SideObservation
    private let record: InstanceRecord?
    private let hypervisor: Hypervisor?
    private let unit: InnerUnit
    /// Whether the whole hypervisor may be ended for it.
    private let mayEndHypervisor: Bool

    /// Looks at the guest in an instance; gone when the instance is.
    static func observe(
        _ guest: String, in instance: String, of hypervisor: String, store: StackStore, mayEndHypervisor: Bool
    ) async -> InnerSide {
        let record = store.instances(of: hypervisor).first { $0.id == instance }
        let folder = store.folder(hypervisor, instance)
        let unit = InnerUnit(guest)
        func seen(
            _ observation: SideObservation, _ hypervisor: Hypervisor? = nil, _ client: QMPClient? = nil
        ) -> InnerSide {
            InnerSide(
                name: "guest \(guest) in instance \(instance)", endpoint: folder.relaySocket(guest), client: client,
                observation: observation, record: record, hypervisor: hypervisor, unit: unit,
                mayEndHypervisor: mayEndHypervisor)
        }
        guard let record, record.process.isAlive else { return seen(.gone) }
        guard let reached = try? await Hypervisor.reach(record, in: folder) else { return seen(.silent) }
        guard await reached.agent.answers(within: .seconds(20)),
            let isActive = try? await unit.isActive(by: reached.agent)
        else { return seen(.silent, reached) }
        guard isActive else { return seen(.gone, reached) }
        guard let client = try? await unit.connect(through: folder.relaySocket(guest), agent: reached.agent),
            let status = try? await client.execute(QueryStatus())
        else { return seen(.silent, reached) }
        return seen(SideObservation(status), reached, client)
    }

    func end() async throws(HyperFreshError) {
        guard let record, record.process.isAlive, observation != .gone else { return }
        var reason: HypervisorError?
        if let hypervisor {
            do throws(HypervisorError) { return try await unit.end(by: hypervisor.agent) } catch { reason = error }
        }
        guard mayEndHypervisor, let handle = try? ProcessHandle(record.process) else {
            throw HyperFreshError(
                "\(name) cannot be ended",
                remedy: "Other guests live there. Move or stop them, end pid "
                    + "\(record.process.pid), and run `hyperfresh recover` again.",
                evidence: [reason.map { "\($0)" } ?? "the hypervisor does not answer"])
        }
        try? handle.signal(9)
        guard await handle.waitForExit(within: .seconds(20)) else {
            throw HyperFreshError(
                "hypervisor instance \(record.id) (pid \(record.process.pid)) cannot be ended",
                remedy: "End it and run `hyperfresh recover` again.")
        }
    }

    func close() {
        client?.close()
        hypervisor?.close()
    }
}

/// Which instance has the guest.
struct PlacementPlaces: RecoveryPlaces {
    let facts: InnerFacts
    let store: StackStore

    func settle() async throws {
        try store.place(facts.guest, on: facts.newInstance, of: facts.hypervisor)
    }
}

extension GuestRecovery {
    /// The recovery of a handoff between two hypervisors.
    static func ofHypervisors(
        _ entry: HandoffEntry, state: HandoffState, facts: InnerFacts, journal: JournalWriter, store: StackStore
    ) async -> GuestRecovery {
        // Another guest that lives there, or whose own handoff is not settled, keeps a hypervisor from being ended.
        let others = store.placement(of: facts.hypervisor).filter { $0.key != facts.guest }.values
        let unsettled = ((try? HandoffEntry.unfinished(in: store.stateDirectory)) ?? [])
            .filter { $0.id != entry.id }.compactMap(\.innerFacts).filter { $0.hypervisor == facts.hypervisor }
        func mayEnd(_ instance: String) -> Bool {
            !others.contains(instance)
                && !unsettled.contains { $0.oldInstance == instance || $0.newInstance == instance }
        }
        func observe(_ instance: String) async -> InnerSide {
            await InnerSide.observe(
                facts.guest, in: instance, of: facts.hypervisor, store: store, mayEndHypervisor: mayEnd(instance))
        }
        return GuestRecovery(
            entry: entry, state: state, journal: journal, old: await observe(facts.oldInstance),
            new: await observe(facts.newInstance), places: PlacementPlaces(facts: facts, store: store))
    }
}

/// Hypervisors that a refresh left without guests.
struct IdleInstances {
    let store: StackStore

    /// Ends, of each hypervisor with two instances, the one without guests; nothing while a refresh goes on.
    ///
    /// - Returns: A sentence for each that was ended.
    func end() async throws(HyperFreshError) -> [String] {
        var ended: [String] = []
        for name in store.stackNames() {
            for spec in try store.stack(name).hypervisors { ended += await endIdle(spec.name) }
        }
        return ended
    }

    private func endIdle(_ hypervisor: String) async -> [String] {
        guard let lock = try? store.lock(hypervisor) else { return [] }
        defer { lock.release() }
        let records = store.instances(of: hypervisor)
        var alive = records.filter { $0.process.isAlive }
        for record in records where !record.process.isAlive { store.forget(hypervisor, instance: record.id) }
        let placement = store.placement(of: hypervisor)
        let unfinished = ((try? HandoffEntry.unfinished(in: store.stateDirectory)) ?? [])
            .contains { $0.concerns(hypervisor) }
        guard !unfinished else { return [] }
        var ended: [String] = []
        for record in alive where alive.count > 1 && !placement.values.contains(record.id) {
            guard let handle = try? ProcessHandle(record.process) else { continue }
            try? handle.signal(9)
            guard await handle.waitForExit(within: .seconds(20)) else { continue }
            alive.removeAll { $0.id == record.id }
            store.forget(hypervisor, instance: record.id)
            ended.append("instance \(record.id) of hypervisor \(hypervisor), which had no guest, was ended")
        }
        return ended
    }
}
