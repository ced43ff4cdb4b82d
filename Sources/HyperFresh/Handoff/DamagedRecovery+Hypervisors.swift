import Handoff
import StackFile
import VirtualMachines

extension DamagedRecovery {
    /// The same for a guest in a hypervisor or a container in an OS VM: every instance that may have it is asked.
    ///
    /// Where one alone has it, and it does not wait there, the record is set aside.
    func lookIntoHypervisors(of entry: HandoffEntry) async -> HandoffRecovery.Conclusion {
        let name = entry.subject?.name ?? "?"
        do throws(HyperFreshError) {
            let store = StackStore(stateDirectory: entry.stateDirectory)
            let locks = try entry.lockHypervisors()
            defer { for lock in locks { lock.release() } }
            var homes: [(run: String, isWaiting: Bool)] = []
            for hypervisor in (entry.subject?.hypervisors ?? []).sorted() {
                let census = try await PlacementCensus.take(of: try store.survey(hypervisor), in: store)
                homes += census.homes(of: name).map {
                    ("\(hypervisor)-\($0.instance)", $0.handingOver.contains(name))
                }
            }
            return conclude(entry, homes)
        } catch {
            return look(error.remedy, ([error.message] + error.evidence).joined(separator: "; "))
        }
    }

    private func conclude(
        _ entry: HandoffEntry, _ homes: [(run: String, isWaiting: Bool)]
    ) -> HandoffRecovery.Conclusion {
        let name = entry.subject?.name ?? "?"
        let words = homes.map { "\($0.run) has it\($0.isWaiting ? ", where it waits or was handed over" : "")" }
            .joined(separator: "; ")
        if homes.isEmpty {
            return setAside(
                HandoffRecovery.Conclusion(
                    outcome: .lost, summary: "\(name) is active in none of its hypervisors any more",
                    remedy: StackStore.afterLoss))
        }
        if homes.count == 1, !homes[0].isWaiting {
            let new = entry.subject?.newInstance
            let isNew = new.map { homes[0].run.hasSuffix("-\($0)") } ?? false
            return setAside(
                HandoffRecovery.Conclusion(outcome: isNew ? .refreshed : .rolledBack, summary: "\(words), and no other")
            )
        }
        let waiting = homes.filter(\.isWaiting)
        guard waiting.count == 1, homes.count == 2 else {
            return look("Run `hyperfresh recover` again once one of them alone has it.", words)
        }
        return look(
            "If nothing else is in \(waiting[0].run) (`hyperfresh ps`): `hyperfresh recover --force \(waiting[0].run)` ends it.",
            words)
    }
}
