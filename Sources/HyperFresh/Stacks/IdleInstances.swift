import Linux
import StackFile
import VirtualMachines

/// The end of hypervisors that a refresh has left without guests.
struct IdleInstances {
    let store: StackStore
    /// The instances that were ended, one sentence each.
    private(set) var done: [String] = []
    /// The hypervisors that could not be checked or ended.
    private(set) var problems: [RecoveryProblem] = []

    init(store: StackStore) { self.store = store }

    /// Ends those instances of each hypervisor with several that report no guest and have none on record.
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
        // An unfinished handoff may need either of them; damaged records tell nothing about guests.
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
            done.append("instance \(record.id) of VM \(hypervisor), in which nothing ran, was ended")
        }
    }
}
