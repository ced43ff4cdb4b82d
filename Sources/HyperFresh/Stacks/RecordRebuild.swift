import Journal
import Linux
import QMP
import StackFile
import VirtualMachines

/// Makes damaged and lost records of hypervisors and OS VMs anew, from what runs.
///
/// All of it is proven by asking; what cannot be proven is left as it is, and named.
struct RecordRebuild {
    let store: StackStore
    /// What was done, a sentence each.
    private(set) var done: [String] = []
    /// What could not be put in order.
    private(set) var problems: [RecoveryProblem] = []

    init(store: StackStore) { self.store = store }

    private mutating func attempt(_ what: String, _ work: () async throws(HyperFreshError) -> String?) async {
        // What was tried before and is tried again is told once.
        problems.removeAll { $0.subject == what }
        do throws(HyperFreshError) {
            if let sentence = try await work() { done.append(sentence) }
        } catch {
            problems.append(RecoveryProblem(what, error))
        }
    }

    /// Every hypervisor that has a folder or a process.
    private mutating func hypervisors() -> [String] {
        do throws(HyperFreshError) {
            return Set(try store.hypervisorNames()).union(try store.processes().map(\.hypervisor)).sorted()
        } catch {
            problems.append(RecoveryProblem("the hypervisors of this host", error))
            return []
        }
    }

    // MARK: - Before handoffs are settled

    /// Puts records of stacks and instances in order.
    mutating func restoreRecords() async {
        for name in hypervisors() {
            let before = self
            await attempt("the record of \(name)'s stack") { () throws(HyperFreshError) in
                try before.restoreStack(of: name)
            }
            let survey: HypervisorSurvey
            do throws(HyperFreshError) {
                survey = try store.survey(name)
                if let damage = survey.folderDamage { throw Self.unusable(damage) }
            } catch {
                problems.append(RecoveryProblem("hypervisor \(name)", error))
                continue
            }
            for instance in survey.instances {
                await attempt("instance \(instance.id) of \(name)") { () throws(HyperFreshError) in
                    try await before.restore(instance, of: name)
                }
            }
        }
        await clearStacks()
    }

    /// Sets records aside that cannot be relied on and that no hypervisor needs.
    private mutating func clearStacks() async {
        let before = self
        await attempt("the stacks on record") { () throws(HyperFreshError) in
            var kept: [String] = []
            for name in try before.store.stackNames() where before.store.stackRecord(name).damage != nil {
                kept.append(try before.store.setAside(stack: name))
            }
            let names = kept.joined(separator: ", ")
            return kept.isEmpty ? nil : "damaged records of stacks of which nothing runs are kept as \(names)"
        }
    }

    /// Puts the copy that a hypervisor has in the place of its stack's record, where that is damaged or lost.
    private func restoreStack(of hypervisor: String) throws(HyperFreshError) -> String? {
        switch store.stackCopy(of: hypervisor) {
        case .present(let copy):
            guard store.stackRecord(copy.name).shown == nil else { return nil }
            // The copy has to be one that this version understands.
            _ = try copy.parse(at: "the copy of \(hypervisor)")
            do throws(SystemError) { try store.restore(copy) } catch {
                throw HyperFreshError(
                    "the record of stack \(copy.name) cannot be written", because: error,
                    remedy: "What has its name may be moved aside. Then run `hyperfresh recover` again.")
            }
            return "the record of stack \(copy.name) was made anew from the copy that \(hypervisor) has"
        case .absent, .damaged:
            let (found, _) = try store.search { stack in
                stack.hypervisors.contains { $0.name == hypervisor } ? stack.name : nil
            }
            if let found { return try restoreCopy(of: hypervisor, from: found) }
            // A folder in which nothing runs says nothing of a stack.
            guard try !store.survey(hypervisor).running.isEmpty else { return nil }
            let unreadable = try store.stackNames().compactMap { store.stackRecord($0).damage }
            guard unreadable.isEmpty else {
                throw HyperFreshError(
                    "which stack hypervisor \(hypervisor) belongs to cannot be read",
                    guestState: "It runs on, with all that is in it.",
                    remedy:
                        "If a later version of hyperfresh wrote it, recover with that one. `hyperfresh ps` shows what "
                        + "is in the hypervisor.",
                    evidence: unreadable.map(\.description), exitCode: RefreshOutcome.unknown.exitCode)
            }
            throw HyperFreshError(
                "which stack hypervisor \(hypervisor) belongs to is not on record any more",
                guestState: "It runs on, with all that is in it.",
                remedy: "`hyperfresh ps` shows what is in it. Shut its guests down from within; then end it with "
                    + "`hyperfresh recover --force`, which names its instance.",
                exitCode: RefreshOutcome.unknown.exitCode)
        }
    }

    private func restoreCopy(of hypervisor: String, from stack: String) throws(HyperFreshError) -> String? {
        guard let record = store.stackRecord(stack).shown, try !store.survey(hypervisor).running.isEmpty else {
            return nil
        }
        let parsed = try record.parse(at: "the record of stack \(stack)")
        do throws(SystemError) {
            try store.keepCopy(Array(record.text.utf8), of: parsed, with: hypervisor)
        } catch {
            throw HyperFreshError(
                "the copy of stack \(stack) cannot be written", because: error,
                remedy: StackStore.remedy(
                    afterWriting: "\(store.stateDirectory)/hypervisors/\(hypervisor)/stack", error))
        }
        return "hypervisor \(hypervisor) has a copy of its stack's record again"
    }

    /// Makes the record of an instance that runs anew; removes what one that has ended left behind.
    private func restore(
        _ instance: HypervisorSurvey.Instance, of hypervisor: String
    ) async throws(HyperFreshError) -> String? {
        guard let found = instance.found else { return try clear(instance, of: hypervisor) }
        if instance.reading.shown?.process == found.process { return nil }
        let stack = store.stackCopy(of: hypervisor).shown?.name ?? "?"
        var record = found.record(stack: stack)
        let folder = store.folder(hypervisor, instance.id)
        try store.verifyFolder(of: hypervisor, instance.id)
        guard Files.exists(folder.path) else { throw Self.unreachable(record, in: folder) }
        let lock = try store.lock(hypervisor)
        defer { lock.release() }
        // Its monitor has to be that very process; what it says of its versions is for showing only.
        do throws(HypervisorError) {
            let reached = try await store.reach(record)
            defer { reached.close() }
            if let (kernel, qemu) = await HypervisorBoot.versions(of: reached) {
                (record.kernel, record.qemu) = (kernel, qemu)
            }
        } catch {
            throw InstanceEnd.silent(record, in: folder, because: error)
        }
        do throws(SystemError) { try store.keep(record) } catch {
            throw HyperFreshError(
                "the record of instance \(instance.id) of \(hypervisor) cannot be written", because: error,
                remedy: "What has its name may be moved aside: \(folder.record). Then run `hyperfresh recover` again.",
                exitCode: RefreshOutcome.unknown.exitCode)
        }
        return "the record of instance \(instance.id) of \(hypervisor), pid \(found.process.pid), was made anew"
    }

    /// Its monitor and its agent had their sockets in a folder that is gone: nobody can speak to it any more.
    private static func unreachable(_ record: InstanceRecord, in folder: InstanceFolder) -> HyperFreshError {
        HyperFreshError(
            "instance \(record.runName) runs (pid \(record.process.pid)), but its folder is not there: it cannot be asked",
            guestState: "It runs on, with all that is in it.",
            remedy:
                "If the folder was moved, move it back to \(folder.path). Otherwise shut its guests down from within; then "
                + "`hyperfresh recover --force \(record.runName)` ends it.",
            exitCode: RefreshOutcome.unknown.exitCode)
    }

    private static func unusable(_ damage: RecordDamage) -> HyperFreshError {
        HyperFreshError(
            "its folder cannot be relied on", guestState: "What runs of it runs on.",
            remedy:
                "It has to be a folder of this user alone: ls -ld \(damage.path). Then run `hyperfresh recover` again.",
            evidence: [damage.description], exitCode: RefreshOutcome.unknown.exitCode)
    }

    private func clear(
        _ instance: HypervisorSurvey.Instance, of hypervisor: String
    ) throws(HyperFreshError) -> String? {
        // Alive by its record alone: nobody of ours, or not a QEMU yet.
        guard instance.process == nil else { return nil }
        let lock = try store.lock(hypervisor)
        defer { lock.release() }
        try store.forget(hypervisor, instance: instance.id)
        return "what instance \(instance.id) of \(hypervisor) had left was removed: it has ended"
    }

    // MARK: - Before handoffs are settled, and after

    /// Puts placements in order: before, so that a settled handoff can be noted in one that was damaged; after, so that each
    /// says what runs.
    mutating func restorePlacements() async {
        for name in hypervisors() {
            let before = self
            await attempt("the placement of \(name)") { () throws(HyperFreshError) in
                try await before.restorePlacement(of: name)
            }
        }
    }

    private func restorePlacement(of hypervisor: String) async throws(HyperFreshError) -> String? {
        var survey = try store.survey(hypervisor)
        // One whose folder is gone cannot be asked, which was said already.
        guard !survey.running.isEmpty, Files.exists(survey.folder) else { return nil }
        let lock = try store.lock(hypervisor)
        defer { lock.release() }
        survey = try store.survey(hypervisor)
        let unfinished = try HandoffEntry.unfinished(in: store.stateDirectory).filter { $0.concerns(hypervisor) }
        // Which instance has a guest that is handed over is for its handoff to say, if that can be noted.
        if survey.placement.shown != nil, !unfinished.isEmpty { return nil }
        let census = try await PlacementCensus.take(of: survey, in: store)
        let placement = try census.placement(
            correcting: survey.placement.shown,
            undecided: Dictionary(unfinished.compactMap { $0.oldHome(in: hypervisor) }) { first, _ in first })
        guard placement != survey.placement.shown else { return nil }
        try store.rebuild(placement, of: hypervisor)
        return "the placement of \(hypervisor) was made anew: "
            + (placement.isEmpty
                ? "it has no guest"
                : placement.sorted { $0.key < $1.key }
                    .map { "\($0.key) in \($0.value)" }.joined(separator: ", "))
    }
}
