import Guests
import Handoff
import JSON
import Journal
import Linux

/// A handoff as the journal remembers it.
struct HandoffEntry: Sendable {
    let id: String
    let directory: JournalDirectory
    let stateDirectory: String
    /// The last state on record; `nil` when this program does not know it.
    let state: HandoffState?
    /// What was handed over; `nil` when this program does not know the kind.
    let subject: Subject?
    /// Microseconds since the epoch.
    let began: Int64
    let newIdentity: ProcessIdentity?
    let guestRan: Bool
    let oldSettings: MigrationLink.Settings?
    let newSettings: MigrationLink.Settings?
    /// The `result` document of a handoff that came to its end under its own controller.
    let result: JSONValue?
    /// What a recovery found, of a handoff whose controller died.
    let recovered: String?
    /// How many records were read.
    let recordCount: Int
    /// Whether nothing is on record.
    let isEmpty: Bool
    /// What is wrong with the record.
    let damage: JournalDamage?

    /// Whether its controller is at work.
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

    /// The guest or container, and the instance of this hypervisor that had it; `nil` where it was another hypervisor's.
    func oldHome(in hypervisor: String) -> (String, String)? {
        guard let subject, let instance = subject.oldInstance(in: hypervisor) else { return nil }
        return (subject.name, instance)
    }

    /// Whether an instance of this hypervisor or OS VM is one of its sides.
    func concerns(_ hypervisor: String) -> Bool { subject?.hypervisors.contains(hypervisor) == true }

    /// Whether it is of the guest that a QEMU of this host has, or of one on the same memory.
    ///
    /// - Parameters:
    ///   - process: The QEMU.
    ///   - memory: The guest's memory.
    /// - Returns: Whether it is.
    func concerns(_ process: ProcessIdentity, memory: GuestMemory) -> Bool {
        guard let facts = subject?.hostGuest else { return false }
        // Where that cannot be said, its numbers count: a refresh that is refused in vain does no harm.
        let isOfAnotherBoot = (try? facts.isOfThisBoot()) == false
        if !isOfAnotherBoot, facts.old == process || newIdentity == process { return true }
        guard !facts.memory.isEmpty, !memory.files.isEmpty else { return facts.memoryFile == memory.path }
        return !facts.memory.isDisjoint(with: memory.files)
    }

    /// Why its record cannot be relied on; `nil` where it can.
    var problem: String? {
        if isEmpty, damage == nil { return "\(recordPath) is empty" }
        return damage.map { "\(recordPath): \($0)" }
    }

    /// Where its record is.
    var recordPath: String { "\(directory.path)/\(id).journal" }

    /// Whether something is left to do for it.
    var isUnfinished: Bool { state.map { !$0.isFinal } ?? true }

    /// Every handoff on record, the oldest first; none where nothing was ever recorded.
    static func all(in stateDirectory: String) throws(HyperFreshError) -> [HandoffEntry] {
        do throws(JournalError) {
            guard let directory = try JournalDirectory.existing(stateDirectory) else { return [] }
            return try directory.entries()
                .map { HandoffEntry($0, in: directory, stateDirectory: stateDirectory) }
                .sorted { $0.began < $1.began }
        } catch {
            throw HyperFreshError(
                "the handoffs on record in \(stateDirectory) cannot be read", because: error,
                remedy: HostChecks.stateFolder(stateDirectory).remedy
                    ?? "Run as the user who refreshed, or name the folder with --state-dir.")
        }
    }

    static func unfinished(in stateDirectory: String) throws(HyperFreshError) -> [HandoffEntry] {
        try all(in: stateDirectory).filter(\.isUnfinished)
    }
}

extension HandoffEntry {
    /// Brings it to its end, unless a controller is at work on the guest.
    ///
    /// Where the record cannot be relied on, what runs decides.
    func recover() async -> HandoffRecovery.Conclusion {
        switch damage {
        case nil where isEmpty: return await DamagedRecovery(entry: self, problem: "it is empty").run()
        case nil, .tornTail: break
        case .newerVersion: return .foreign
        case .some(let damage): return await DamagedRecovery(entry: self, problem: "\(damage)").run()
        }
        let journal: JournalWriter
        do throws(JournalError) {
            // Excludes the controller, if it lives, and another recovery; cuts off a record that was not wholly written.
            journal = try directory.resume(id)
        } catch {
            if error.code == .inUse { return .atWork((subject?.lockedFile).flatMap(HeldLock.holder)) }
            return HandoffRecovery.Conclusion(
                outcome: .unknown, summary: "its record cannot be used, and nothing was touched: \(error)",
                remedy: "Remove the cause, then run `hyperfresh recover` again.")
        }
        defer { journal.close() }
        // All of it was the beginning of a first record.
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
        // Another recovery, or the controller itself, may have brought it to its end since it was read.
        guard journal.reading.records.count == recordCount else { return .settledMeanwhile(journal.reading.state) }
        do throws(HyperFreshError) {
            // Which instance has the guest is written to the records of its hypervisors.
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

    /// Excludes every controller from the hypervisors whose instances are its sides.
    func lockHypervisors() throws(HyperFreshError) -> [HeldLock] {
        let store = StackStore(stateDirectory: stateDirectory)
        var locks: [HeldLock] = []
        for name in (subject?.hypervisors ?? []).sorted() { locks.append(try store.lock(name)) }
        return locks
    }

    /// Why a recovery does not begin.
    struct Obstacle: Error {
        let conclusion: HandoffRecovery.Conclusion
    }

    /// Excludes every controller from the guest.
    ///
    /// - Returns: The lock; `nil` where there is nothing to fight over: the memory file of a guest that is gone may be gone too.
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
                            "whether a controller is at work on this guest cannot be seen; nothing was touched: \(error)",
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
                remedy: "Make room in the state folder and run `hyperfresh recover` again.")
        }
    }
}
