import Journal
import Linux
import QMP
import StackFile
import VirtualMachines

/// Rebuilds damaged and missing records of hypervisors and OS VMs from the running processes.
///
/// Every record is verified by asking; one that cannot be verified stays unchanged and is reported.
struct RecordRebuild {
    let store: StackStore
    /// The repairs, one sentence each.
    private(set) var done: [String] = []
    /// The problems that remain.
    private(set) var problems: [RecoveryProblem] = []

    init(store: StackStore) { self.store = store }

    private mutating func attempt(_ what: String, _ work: () async throws(HyperFreshError) -> String?) async {
        // Report a repeated attempt only once.
        problems.removeAll { $0.subject == what }
        do throws(HyperFreshError) {
            if let sentence = try await work() { done.append(sentence) }
        } catch {
            problems.append(RecoveryProblem(what, error))
        }
    }

    /// Returns every hypervisor that has a folder or a process.
    private mutating func hypervisors() -> [String] {
        do throws(HyperFreshError) {
            return Set(try store.hypervisorNames()).union(try store.processes().map(\.hypervisor)).sorted()
        } catch {
            problems.append(RecoveryProblem("the hypervisors of this host", error))
            return []
        }
    }

    // MARK: - Before handoffs are settled

    /// Rebuilds the records of stacks and instances.
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

    /// Sets aside damaged records that no hypervisor needs.
    private mutating func clearStacks() async {
        let before = self
        await attempt("the stacks on record") { () throws(HyperFreshError) in
            var kept: [String] = []
            for name in try before.store.stackNames() where before.store.stackRecord(name).damage != nil {
                kept.append(try before.store.setAside(stack: name))
            }
            let names = kept.joined(separator: ", ")
            return kept.isEmpty ? nil : "damaged records of stacks without a hypervisor were kept as \(names)"
        }
    }

    /// Restores a stack's record from a hypervisor's copy, if the record is damaged or missing.
    private func restoreStack(of hypervisor: String) throws(HyperFreshError) -> String? {
        switch store.stackCopy(of: hypervisor) {
        case .present(let copy):
            guard store.stackRecord(copy.name).shown == nil else { return nil }
            // This version must understand the copy.
            _ = try copy.parse(at: "the copy of \(hypervisor)")
            do throws(SystemError) { try store.restore(copy) } catch {
                throw HyperFreshError(
                    "cannot write the record of stack \(copy.name)", because: error,
                    remedy: "Move aside any other file with its name, then run `hyperfresh recover` again.")
            }
            return "the record of stack \(copy.name) was rebuilt from the copy of \(hypervisor)"
        case .absent, .damaged:
            let (found, _) = try store.search { stack in
                stack.hypervisors.contains { $0.name == hypervisor } ? stack.name : nil
            }
            if let found { return try restoreCopy(of: hypervisor, from: found) }
            // A folder in which nothing runs does not prove a stack.
            guard try !store.survey(hypervisor).running.isEmpty else { return nil }
            let unreadable = try store.stackNames().compactMap { store.stackRecord($0).damage }
            guard unreadable.isEmpty else {
                throw HyperFreshError(
                    "cannot read which stack hypervisor \(hypervisor) belongs to",
                    guestState: "It keeps running, with everything in it.",
                    remedy:
                        "If a later version of hyperfresh wrote it, recover with that version. `hyperfresh ps` shows "
                        + "the guests of the hypervisor.",
                    evidence: unreadable.map(\.description), exitCode: RefreshOutcome.unknown.exitCode)
            }
            throw HyperFreshError(
                "the stack of hypervisor \(hypervisor) is no longer on record",
                guestState: "It keeps running, with everything in it.",
                remedy: "`hyperfresh ps` shows its instance and its guests. Shut the guests down from inside, then end "
                    + "the instance: `hyperfresh recover --force INSTANCE`.",
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
                "cannot write the copy of stack \(stack)", because: error,
                remedy: StackStore.remedy(
                    afterWriting: "\(store.stateDirectory)/hypervisors/\(hypervisor)/stack", error))
        }
        return "hypervisor \(hypervisor) has a copy of its stack's record again"
    }

    /// Rebuilds the record of a running instance; removes the files of one that has ended.
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
        // Its monitor must be that process; the versions that it reports are for display only.
        do throws(HypervisorError) {
            let reached = try await store.reach(record)
            defer { reached.close() }
            if let (kernel, qemu) = await Self.versions(of: reached) {
                (record.kernel, record.qemu) = (kernel, qemu)
            }
        } catch {
            throw InstanceEnd.silent(record, in: folder, because: error)
        }
        do throws(SystemError) { try store.keep(record) } catch {
            throw HyperFreshError(
                "cannot write the record of instance \(instance.id) of \(hypervisor)", because: error,
                remedy:
                    "Move aside any other file with its name: \(folder.record). Then run `hyperfresh recover` again.",
                exitCode: RefreshOutcome.unknown.exitCode)
        }
        return "the record of instance \(instance.id) of \(hypervisor), pid \(found.process.pid), was rebuilt"
    }

    /// Returns the kernel's and QEMU's versions in a hypervisor, for display only; nil if it does not report them.
    static func versions(of hypervisor: Hypervisor) async -> (kernel: String, qemu: String)? {
        let words = try? await hypervisor.agent.run(verb: "versions", to: "ask for its versions")
        return versions(in: words ?? "")
    }

    /// Parses the kernel's and QEMU's versions, one line each; nil for anything else, which must not be recorded.
    static func versions(in words: String) -> (kernel: String, qemu: String)? {
        let lines = words.split(whereSeparator: \.isNewline).map(String.init)
        let isVersion: (String) -> Bool = { word in
            word.utf8.count <= 64 && word.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        }
        guard lines.count == 2, lines.allSatisfy(isVersion) else { return nil }
        return (lines[0], lines[1])
    }

    /// Returns the error for an instance whose folder is gone, and with it the sockets of its monitor and its agent.
    private static func unreachable(_ record: InstanceRecord, in folder: InstanceFolder) -> HyperFreshError {
        HyperFreshError(
            "instance \(record.runName) runs (pid \(record.process.pid)), but its folder does not exist: it cannot be "
                + "asked",
            guestState: "It keeps running, with everything in it.",
            remedy:
                "If the folder was moved, move it back to \(folder.path). Otherwise shut its guests down from inside; "
                + "then `hyperfresh recover --force \(record.runName)` kills it.",
            exitCode: RefreshOutcome.unknown.exitCode)
    }

    private static func unusable(_ damage: RecordDamage) -> HyperFreshError {
        HyperFreshError(
            "its folder cannot be relied on", guestState: "Its running instances keep running.",
            remedy:
                "It must be a folder of your user alone, with mode 0700: `ls -ld \(damage.path)`. Then run "
                + "`hyperfresh recover` again.",
            evidence: [damage.description], exitCode: RefreshOutcome.unknown.exitCode)
    }

    private func clear(
        _ instance: HypervisorSurvey.Instance, of hypervisor: String
    ) throws(HyperFreshError) -> String? {
        // Alive only by its record: a process of somebody else, or not a QEMU yet.
        guard instance.process == nil else { return nil }
        let lock = try store.lock(hypervisor)
        defer { lock.release() }
        try store.forget(hypervisor, instance: instance.id)
        return "the files of instance \(instance.id) of \(hypervisor), which has ended, were removed"
    }

    // MARK: - Before handoffs are settled, and after

    /// Rebuilds placements: before handoffs are settled, so that their results can be written to a placement that was
    /// damaged; and after, so that each placement is correct.
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
        // A hypervisor whose folder is gone cannot be asked, which was reported already.
        guard !survey.running.isEmpty, Files.exists(survey.folder) else { return nil }
        let lock = try store.lock(hypervisor)
        defer { lock.release() }
        survey = try store.survey(hypervisor)
        let unfinished = try HandoffEntry.unfinished(in: store.stateDirectory).filter { $0.concerns(hypervisor) }
        // If the placement can be written, the handoff of a guest decides which instance has it.
        if survey.placement.shown != nil, !unfinished.isEmpty { return nil }
        let census = try await PlacementCensus.take(of: survey, in: store)
        let placement = try census.placement(
            correcting: survey.placement.shown,
            undecided: Dictionary(unfinished.compactMap { $0.oldHome(in: hypervisor) }) { first, _ in first })
        guard placement != survey.placement.shown else { return nil }
        try store.rebuild(placement, of: hypervisor)
        return "the placement of \(hypervisor) was rebuilt: "
            + (placement.isEmpty
                ? "it has no guest"
                : placement.sorted { $0.key < $1.key }
                    .map { "\($0.key) in \($0.value)" }.joined(separator: ", "))
    }
}
