import Linux
import StackFile
import VirtualMachines

/// Hypervisors that a refresh left without guests.
struct IdleInstances {
    let store: StackStore
    /// What was ended, a sentence each.
    private(set) var done: [String] = []
    /// What could not be.
    private(set) var problems: [RecoveryProblem] = []

    init(store: StackStore) { self.store = store }

    /// Ends, of each hypervisor with several instances, those that have no guest by their own word, and for which nobody has.
    mutating func end() async throws(HyperFreshError) {
        for name in try store.hypervisorNames() {
            do throws(HyperFreshError) { try await endIdle(name) } catch {
                problems.append(RecoveryProblem("hypervisor \(name)", error))
            }
        }
    }

    private mutating func endIdle(_ hypervisor: String) async throws(HyperFreshError) {
        var survey = try store.survey(hypervisor)
        guard survey.running.count > 1 else { return }
        let lock = try store.lock(hypervisor)
        defer { lock.release() }
        survey = try store.survey(hypervisor)
        // A handoff that is not settled may need either of them; one that is damaged says nothing of guests.
        let records = try survey.records()
        guard try !HandoffEntry.unfinished(in: store.stateDirectory).contains(where: { $0.concerns(hypervisor) }) else {
            return
        }
        var left = records.alive
        for record in records.alive where left.count > 1 && !records.placement.values.contains(record.id) {
            let folder = store.folder(hypervisor, record.id)
            let reached: Hypervisor
            do throws(HypervisorError) { reached = try await store.reach(record) } catch {
                throw InstanceEnd.silent(record, in: folder, because: error)
            }
            defer { reached.close() }
            try await InstanceEnd(store: store).run(reached)
            left.removeAll { $0.id == record.id }
            done.append("instance \(record.id) of hypervisor \(hypervisor), which had no guest, was ended")
        }
    }
}
