import Guests
import Handoff
import JSON
import Journal
import Linux

/// A handoff as read from its journal.
struct HandoffEntry: Sendable {
    let id: String
    let directory: JournalDirectory
    let stateDirectory: String
    /// The last state on record; `nil` if this version does not know it.
    let state: HandoffState?
    /// The subject; `nil` if this version does not know its kind.
    let subject: Subject?
    /// Microseconds since the epoch.
    let began: Int64
    let newIdentity: ProcessIdentity?
    let guestRan: Bool
    let oldSettings: MigrationLink.Settings?
    let newSettings: MigrationLink.Settings?
    /// The `result` document, if the handoff ended under its own controller.
    let result: JSONValue?
    /// The outcome of the recovery, if the controller died.
    let recovered: String?
    /// The number of records that were read.
    let recordCount: Int
    /// Whether the journal has no record.
    let isEmpty: Bool
    /// The damage of the journal.
    let damage: JournalDamage?

    /// Whether a controller is working on it.
    let isGoingOn: Bool

    init(_ summary: JournalSummary, in directory: JournalDirectory, stateDirectory: String) {
        let records = summary.reading.records
        let merged = records.reduce(into: [String: JSONValue]()) { $0.merge($1.facts) { $1 } }
        id = summary.id
        recordCount = records.count
        isEmpty = records.isEmpty
        self.directory = directory
        self.stateDirectory = stateDirectory
        state = summary.state.flatMap(HandoffState.init(rawValue:))
        subject = Subject(json: merged)
        began = summary.began ?? 0
        newIdentity = merged["new"].flatMap(ProcessIdentity.init(json:))
        guestRan = merged["guest_ran"]?.bool ?? false
        oldSettings = merged["restore_old"].flatMap(MigrationLink.Settings.init(json:))
        newSettings = merged["restore_new"].flatMap(MigrationLink.Settings.init(json:))
        result = merged["result"]
        recovered = merged["recovered"]?.string
        isGoingOn = summary.isActive
        damage = summary.reading.damage
    }

    /// Returns the name of the guest or container, and the instance of this hypervisor that had it; `nil` if another
    /// hypervisor had it.
    func oldHome(in hypervisor: String) -> (String, String)? {
        guard let subject, let instance = subject.oldInstance(in: hypervisor) else { return nil }
        return (subject.name, instance)
    }

    /// Returns whether an instance of this hypervisor or OS VM is one of its sides.
    func concerns(_ hypervisor: String) -> Bool { subject?.hypervisors.contains(hypervisor) == true }

    /// Returns whether it is a handoff of the guest that a QEMU of this host has, or of one with the same memory.
    ///
    /// - Parameters:
    ///   - process: The QEMU.
    ///   - memory: The guest's memory.
    /// - Returns: Whether it is.
    func concerns(_ process: ProcessIdentity, memory: GuestMemory) -> Bool {
        guard let facts = subject?.hostGuest else { return false }
        // If the boot is unknown, compare the pids: a refresh that is refused without need does no harm.
        let isOfAnotherBoot = (try? facts.isOfThisBoot()) == false
        if !isOfAnotherBoot, facts.old == process || newIdentity == process { return true }
        guard !facts.memory.isEmpty, !memory.files.isEmpty else { return facts.memoryFile == memory.path }
        return !facts.memory.isDisjoint(with: memory.files)
    }

    /// The reason why its record cannot be relied on; `nil` if it can.
    var problem: String? {
        if isEmpty, damage == nil { return "\(recordPath) is empty" }
        return damage.map { "\(recordPath): \($0)" }
    }

    /// The path of its journal.
    var recordPath: String { "\(directory.path)/\(id).journal" }

    /// Whether something is left to do for it.
    var isUnfinished: Bool { state.map { !$0.isFinal } ?? true }

    /// Returns every handoff on record, the oldest first; none if nothing was ever recorded.
    static func all(in stateDirectory: String) throws(HyperFreshError) -> [HandoffEntry] {
        do throws(JournalError) {
            guard let directory = try JournalDirectory.existing(stateDirectory) else { return [] }
            return try directory.entries()
                .map { HandoffEntry($0, in: directory, stateDirectory: stateDirectory) }
                .sorted { $0.began < $1.began }
        } catch {
            throw HyperFreshError(
                "cannot read the handoffs on record in \(stateDirectory)", because: error,
                remedy: HostChecks.stateFolder(stateDirectory).remedy
                    ?? "Run as the user who started the refresh, or name the folder with --state-dir.")
        }
    }

    static func unfinished(in stateDirectory: String) throws(HyperFreshError) -> [HandoffEntry] {
        try all(in: stateDirectory).filter(\.isUnfinished)
    }

    /// Throws if a controller died during a handoff: until that is recovered, it is unknown where a guest runs.
    static func refuseUnfinished(of hypervisor: String, in store: StackStore) throws(HyperFreshError) {
        let unfinished = try Self.unfinished(in: store.stateDirectory).filter { $0.concerns(hypervisor) }
        guard !unfinished.isEmpty else { return }
        throw HyperFreshError(
            "handoffs of VM \(hypervisor) were left unfinished",
            remedy: "Run `hyperfresh recover` first.",
            evidence: unfinished.map { "\($0.id): \($0.subject?.name ?? "?"), \($0.state?.rawValue ?? "?")" },
            exitCode: RefreshOutcome.blocked.exitCode)
    }
}

extension HandoffEntry {
    /// Completes or rolls back the handoff, unless a controller is working on the guest.
    ///
    /// If the record cannot be relied on, the processes that run decide.
    func recover() async -> HandoffRecovery.Conclusion {
        switch damage {
        case nil where isEmpty: return await DamagedRecovery(entry: self, problem: "it is empty").run()
        case nil, .tornTail: break
        case .newerVersion: return .foreign
        case .some(let damage): return await DamagedRecovery(entry: self, problem: "\(damage)").run()
        }
        let journal: JournalWriter
        do throws(JournalError) {
            // Excludes the controller, if it lives, and another recovery; cuts off an incomplete record.
            journal = try directory.resume(id)
        } catch {
            if error.code == .inUse { return .atWork((subject?.lockedFile).flatMap(HeldLock.holder)) }
            return HandoffRecovery.Conclusion(
                outcome: .unknown, summary: "its record cannot be used, and nothing was touched: \(error)",
                remedy: "Remove the cause, then run `hyperfresh recover` again.")
        }
        defer { journal.close() }
        // The journal held nothing but the beginning of its first record.
        guard !isEmpty else {
            journal.close()
            return await DamagedRecovery(entry: self, problem: "its first record was cut short").run()
        }
        guard let state else { return .foreign }
        let lock: HeldLock?
        switch takeLock() {
        case .success(let held): lock = held
        case .failure(let obstacle): return obstacle.conclusion
        }
        defer { lock?.release() }
        // Another recovery, or the controller itself, may have settled it since it was read.
        guard journal.reading.records.count == recordCount else { return .settledMeanwhile(journal.reading.state) }
        do throws(HyperFreshError) {
            // Recovery writes to the records of the hypervisors which instance has the guest.
            let locks = try lockHypervisors()
            defer { for lock in locks { lock.release() } }
            guard let recovery = try await recovery(from: state, journal) else { return .foreign }
            let conclusion = await recovery.run()
            return conclusion.final.map { record($0, in: journal, conclusion) } ?? conclusion
        } catch {
            return HandoffRecovery.Conclusion(
                outcome: .unknown, summary: ([error.message] + error.evidence).joined(separator: "; "),
                remedy: error.remedy)
        }
    }

    /// Locks the hypervisors whose instances are its sides, to exclude every controller.
    func lockHypervisors() throws(HyperFreshError) -> [HeldLock] {
        let store = StackStore(stateDirectory: stateDirectory)
        var locks: [HeldLock] = []
        for name in (subject?.hypervisors ?? []).sorted() { locks.append(try store.lock(name)) }
        return locks
    }

    /// The reason why a recovery does not begin.
    struct Obstacle: Error {
        let conclusion: HandoffRecovery.Conclusion
    }

    /// Locks the guest, to exclude every controller.
    ///
    /// - Returns: The lock; `nil` if the file does not exist: the memory file of a guest that is gone may be gone too.
    func takeLock() -> Result<HeldLock?, Obstacle> {
        guard let lockedFile = subject?.lockedFile else { return .failure(Obstacle(conclusion: .foreign)) }
        do throws(SystemError) {
            guard let lock = try HeldLock(lockedFile) else {
                return .failure(Obstacle(conclusion: .atWork(HeldLock.holder(of: lockedFile))))
            }
            return .success(lock)
        } catch {
            if error.isGone { return .success(nil) }
            return .failure(
                Obstacle(
                    conclusion: HandoffRecovery.Conclusion(
                        outcome: .unknown,
                        summary:
                            "cannot see whether a controller is working on this guest; nothing was touched: \(error)",
                        remedy: "Make \(lockedFile) readable, then run `hyperfresh recover` again.")))
        }
    }

    private func recovery(
        from state: HandoffState, _ journal: JournalWriter
    ) async throws(HyperFreshError) -> HandoffRecovery? {
        let store = StackStore(stateDirectory: stateDirectory)
        return switch subject {
        case .hostGuest(let facts): try await .ofHostGuest(self, state: state, facts: facts, journal: journal)
        case .hypervisorGuest(let facts):
            try await .ofHypervisorGuest(self, state: state, facts: facts, journal: journal, store: store)
        case .container(let facts):
            try await .ofContainer(self, state: state, facts: facts, journal: journal, store: store)
        case nil: nil
        }
    }

    private func record(
        _ final: HandoffState, in journal: JournalWriter, _ conclusion: HandoffRecovery.Conclusion
    ) -> HandoffRecovery.Conclusion {
        do throws(JournalError) {
            try journal.append(state: final.rawValue, facts: ["recovered": .string(conclusion.outcome.rawValue)])
            return conclusion
        } catch {
            return HandoffRecovery.Conclusion(
                outcome: conclusion.outcome, summary: "\(conclusion.summary), but this could not be recorded: \(error)",
                remedy: "Free space in the state folder, then run `hyperfresh recover` again.")
        }
    }
}
