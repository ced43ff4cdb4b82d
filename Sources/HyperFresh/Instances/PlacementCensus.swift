import QMP
import StackFile
import VirtualMachines

/// The guests of each instance of a hypervisor, as all of the instances report them.
struct PlacementCensus {
    /// The report of one instance.
    struct Answer {
        let instance: String
        let tenants: Tenants
        /// The guests in it whose QEMU waits for state or has handed it over: another instance may have the guest.
        let handingOver: Set<String>
        /// Guests and containers whose memory is attached to it, active or not.
        let attached: Set<String>
    }

    let hypervisor: String
    let answers: [Answer]

    /// Asks every instance that runs.
    ///
    /// - Throws: ``HyperFreshError`` with status 6 if one of them does not answer: it may have any guest.
    static func take(of survey: HypervisorSurvey, in store: StackStore) async throws(HyperFreshError) -> PlacementCensus
    {
        var answers: [Answer] = []
        for instance in survey.running {
            guard let record = instance.record(stack: "?") else { continue }
            let folder = store.folder(survey.name, instance.id)
            do throws(HypervisorError) {
                let reached = try await store.reach(record)
                defer { reached.close() }
                answers.append(try await ask(reached, known: Set(survey.shownPlacement.keys)))
            } catch {
                throw InstanceEnd.silent(record, in: folder, because: error)
            }
        }
        return PlacementCensus(hypervisor: survey.name, answers: answers)
    }

    private static func ask(_ hypervisor: Hypervisor, known: Set<String>) async throws(HypervisorError) -> Answer {
        let tenants = try await hypervisor.agent.tenants()
        var handingOver: Set<String> = []
        for guest in tenants.guests {
            let client = try await InnerUnit(guest).connect(
                through: hypervisor.folder.relaySocket(guest), agent: hypervisor.agent)
            defer { client.close() }
            do throws(QMPError) {
                let state = try await client.execute(QueryStatus()).state
                if [.inmigrate, .postmigrate, .finishMigrate].contains(state) { handingOver.insert(guest) }
            } catch {
                throw HypervisorError(
                    "the QEMU of guest \(guest) does not report its state",
                    remedy: "Disconnect other clients from its monitor.",
                    evidence: ["\(error)"])
            }
        }
        return Answer(
            instance: hypervisor.record.id, tenants: tenants, handingOver: handingOver,
            attached: try await hypervisor.tenantsWithMemory())
    }

    /// Returns the correct placement.
    ///
    /// - Parameters:
    ///   - old: The placement on record; nil if that was lost.
    ///   - undecided: Guests with an unfinished handoff, and the instance that had them, which keeps them until that is
    ///     settled.
    /// - Returns: The instance of each guest and container; stopped ones stay where they were.
    /// - Throws: ``HyperFreshError`` with status 6 if two instances have the same guest and it is unknown which one is
    ///   right.
    func placement(
        correcting old: [String: String]?, undecided: [String: String] = [:]
    ) throws(HyperFreshError) -> [String: String] {
        var placement = undecided
        let active = answers.reduce(into: Set<String>()) {
            $0.formUnion($1.tenants.guests.union($1.tenants.containers))
        }
        for name in active where undecided[name] == nil { placement[name] = try home(of: name) }
        // A guest that is active nowhere stays where it was on record, or in the only instance with its memory.
        for (name, instance) in old ?? [:] where placement[name] == nil { placement[name] = instance }
        if old == nil {
            for name in Set(answers.flatMap(\.attached)).subtracting(active) where placement[name] == nil {
                let homes = answers.filter { $0.attached.contains(name) }
                if homes.count == 1 { placement[name] = homes[0].instance }
            }
        }
        return placement
    }

    /// Returns the instances in which a guest or container is active.
    func homes(of name: String) -> [Answer] {
        answers.filter { $0.tenants.guests.contains(name) || $0.tenants.containers.contains(name) }
    }

    private func home(of name: String) throws(HyperFreshError) -> String {
        let homes = homes(of: name)
        let owners = homes.count == 1 ? homes : homes.filter { !$0.handingOver.contains(name) }
        if owners.count == 1 { return owners[0].instance }
        throw HyperFreshError(
            "cannot determine which instance of \(hypervisor) has \(name)", guestState: "Nothing was touched.",
            remedy: "Check the state of its QEMU in each of them, and end the one that waits.",
            evidence: homes.map { "instance \($0.instance) has one" }, exitCode: RefreshOutcome.unknown.exitCode)
    }
}
