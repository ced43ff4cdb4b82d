import Glibc
import Guests
import Handoff
import JSON
import Journal
import Linux
import QMP

/// Brings one unfinished handoff to its end: observes both sides, asks the recovery table, does what it says.
///
/// Every step is harmless when repeated, and the final record is written last: a recovery that is killed is run again.
struct GuestRecovery {
    let entry: HandoffEntry
    let state: HandoffState
    let facts: HandoffFacts
    let journal: JournalWriter

    /// What was found and done.
    struct Conclusion {
        var outcome: RefreshOutcome
        var summary: String
        var remedy: String?
        /// The state to record; `nil` leaves the handoff unfinished.
        var final: HandoffState?
    }

    func run() async -> Conclusion {
        let newIdentity = entry.newIdentity ?? Self.process(startedBy: entry.id)
        let old = await Side.observe(facts.old, at: facts.oldQMP)
        let new = await Side.observe(newIdentity, at: newQMP)
        let decision = Recovery.decide(
            recorded: state, guestRan: entry.guestRan, old: old.observation, new: new.observation)
        defer {
            old.client?.close()
            new.client?.close()
        }
        do {
            return try await carryOut(decision, old: old, new: new)
        } catch {
            return Conclusion(
                outcome: .unknown, summary: "recovery did not come to its end: \(error)",
                remedy: "Mend what stands in the way and run `hyperfresh recover` again.")
        }
    }

    /// A QEMU that was started but not recorded: the handoff's id is in the temporary names on its command line.
    private static func process(startedBy id: String) -> ProcessIdentity? {
        let pids = (try? ProcFS.processes()) ?? []
        let pid = pids.first { (try? ProcFS.commandLine($0))?.contains { $0.contains(".hf-\(id)") } == true }
        return pid.flatMap(ProcessIdentity.current(of:))
    }

    /// Once settled, the lasting name is the new side's.
    private var newQMP: String { Files.exists(facts.newQMP) ? facts.newQMP : facts.lastingQMP }

    private func carryOut(_ decision: RecoveryDecision, old: Side, new: Side) async throws -> Conclusion {
        switch decision {
        case .finished: return Conclusion(outcome: .refreshed, summary: "had ended", final: nil)
        case .keepOld(let resume): return try await keepOld(old, new: new, resume: resume)
        case .keepNew(let resume): return try await keepNew(new, old: old, resume: resume)
        case .lost: return try await clearAway(old: old, new: new)
        case .mustLook(let reason):
            return Conclusion(
                outcome: .unknown, summary: "an operator must look: \(reason)",
                remedy:
                    "Old QEMU: pid \(facts.old.pid), \(facts.oldQMP). New QEMU: \(new.identity.map { "pid \($0.pid), \(newQMP)" } ?? "none"). Decide which one is right, end the other, and run `hyperfresh recover` again."
            )
        }
    }

    private func keepOld(_ old: Side, new: Side, resume: Bool) async throws -> Conclusion {
        try await new.end()
        EndpointFiles.discard(facts.endpoints)
        if let client = old.client {
            try await OldSide.restore(client, settings: entry.oldSettings, resume: resume)
        } else if entry.oldSettings != nil {
            return Conclusion(
                outcome: .rolledBack,
                summary: """
                    rolled back: the guest is on the old QEMU (pid \(facts.old.pid)), which does not answer and keeps the \
                    migration settings of a refresh
                    """,
                remedy: "Let go of its monitor (\(facts.oldQMP)) and run `hyperfresh recover` again.")
        }
        return Conclusion(
            outcome: .rolledBack, summary: "rolled back: the guest is on the old QEMU (pid \(facts.old.pid))",
            final: .rolledBack)
    }

    private func keepNew(_ new: Side, old: Side, resume: Bool) async throws -> Conclusion {
        for followUp in facts.followUps where followUp.needsOldProcess {
            guard let client = new.client, let handle = try? ProcessHandle(facts.old) else { break }
            try? await followUp.perform(on: client, old: handle)
        }
        // First the old side, then `cont`: with nobody waiting for milliseconds, certainty comes first.
        try await old.end()
        if !state.isCommitted { try journal.append(state: HandoffState.committed.rawValue) }
        if let client = new.client {
            if resume { _ = try await client.execute(Cont()) }
            for followUp in facts.followUps where !followUp.needsOldProcess { try? await followUp.perform(on: client) }
            if let settings = entry.newSettings { try await MigrationLink.restore(settings, on: client) }
            _ = try? await client.execute(AnnounceSelf())
        }
        try EndpointFiles.settle(facts.endpoints)
        return Conclusion(
            outcome: .refreshed,
            summary: "finished: the guest is on the new QEMU (pid \(new.identity.map { "\($0.pid)" } ?? "?"))",
            final: .retired)
    }

    private func clearAway(old: Side, new: Side) async throws -> Conclusion {
        try await new.end()
        if state.isCommitted { try await old.end() }
        EndpointFiles.discard(facts.endpoints)
        return Conclusion(
            outcome: .lost,
            summary: state.isCommitted
                ? "the guest's QEMU (the new one) is gone, and the guest with it"
                : "the guest's QEMU (the old one, pid \(facts.old.pid)) is gone, and the guest with it",
            remedy: "Start the guest anew. Its disks are as it left them.", final: .lost)
    }
}

/// One side as recovery finds it.
struct Side {
    let identity: ProcessIdentity?
    let client: QMPClient?
    let observation: SideObservation

    static func observe(_ identity: ProcessIdentity?, at path: String) async -> Side {
        guard let identity, identity.isAlive else { return Side(identity: identity, client: nil, observation: .gone) }
        guard let client = try? await QMPClient.connect(path: path, greetingDeadline: .seconds(3)) else {
            return Side(identity: identity, client: nil, observation: .silent)
        }
        // A path may lead to the other side by now.
        guard client.peer?.pid == identity.pid, let status = try? await client.execute(QueryStatus()) else {
            client.close()
            return Side(identity: identity, client: nil, observation: .silent)
        }
        return Side(identity: identity, client: client, observation: SideObservation(status))
    }

    /// Ends the process for good; nothing to do when it is gone.
    func end() async throws(HyperFreshError) {
        guard let identity, identity.isAlive, let handle = try? ProcessHandle(identity) else { return }
        try? handle.signal(SIGKILL)
        guard await handle.waitForExit(within: .seconds(10)) else {
            throw HyperFreshError(
                "pid \(identity.pid) cannot be ended", remedy: "End it and run `hyperfresh recover` again.")
        }
    }
}

extension SideObservation {
    init(_ status: QueryStatus.Reply) {
        self =
            switch status.state {
            case .running: .running
            case .inmigrate: .waiting
            case .finishMigrate: .handingOver
            case .postmigrate: .handedOver
            case .shutdown, .internalError, .guestPanicked: .ended
            default: .paused
            }
    }
}
