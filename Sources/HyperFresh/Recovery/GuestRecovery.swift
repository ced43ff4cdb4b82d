import Handoff
import Journal
import QMP

/// One side as recovery finds it, and how it is ended.
protocol RecoverableSide: Sendable {
    /// Where it is, for messages: `pid 4711`.
    var name: String { get }
    /// Where its monitor answers, for messages.
    var endpoint: String { get }
    /// Its monitor; `nil` when it is gone or silent.
    var client: QMPClient? { get }
    var observation: SideObservation { get }

    /// Ends it for good; nothing to do when it is gone.
    func end() async throws(HyperFreshError)
    /// Lets go of it.
    func close()
}

/// What a kind of handoff has to put in its place, beside the two sides.
protocol RecoveryPlaces: Sendable {
    /// Takes out of the old side what ends with it, before it is ended.
    func rescue(into new: QMPClient) async
    /// Puts everything where it belongs once the guest is the new side's.
    func settle(on new: QMPClient?) async throws
    /// Removes what a new side that is gone has left.
    func discard()
}

/// Brings one unfinished handoff to its end: observes both sides, asks the recovery table, does what it says.
///
/// Every step is harmless when repeated, and the final record is written last: a recovery that is killed is run again.
struct GuestRecovery {
    let entry: HandoffEntry
    let state: HandoffState
    let journal: JournalWriter
    let old: any RecoverableSide
    let new: any RecoverableSide
    let places: any RecoveryPlaces

    /// What was found and done.
    struct Conclusion {
        var outcome: RefreshOutcome
        var summary: String
        var remedy: String?
        /// The state to record; `nil` leaves the handoff unfinished.
        var final: HandoffState?

        /// For a record that says nothing: its disk lost it.
        static let empty = Conclusion(
            outcome: .unknown, summary: "its record is empty",
            remedy: "Look which QEMU runs the guest, end the other, and remove the record from the state folder.")

        /// For a record that this program does not understand.
        static let foreign = Conclusion(
            outcome: .unknown, summary: "its record was made by another version of hyperfresh",
            remedy: "Recover with that version, or look which QEMU runs the guest, and end the other.")
    }

    func run() async -> Conclusion {
        let decision = Recovery.decide(
            recorded: state, guestRan: entry.guestRan, old: old.observation, new: new.observation)
        defer {
            old.close()
            new.close()
        }
        do {
            return try await carryOut(decision)
        } catch {
            return Conclusion(
                outcome: .unknown, summary: "recovery did not come to its end: \(error)",
                remedy: "Mend what stands in the way and run `hyperfresh recover` again.")
        }
    }

    private func carryOut(_ decision: RecoveryDecision) async throws -> Conclusion {
        switch decision {
        case .finished: return Conclusion(outcome: .refreshed, summary: "had ended", final: nil)
        case .keepOld(let resume): return try await keepOld(resume: resume)
        case .keepNew(let resume): return try await keepNew(resume: resume)
        case .lost: return try await clearAway()
        case .mustLook(let reason):
            return Conclusion(
                outcome: .unknown, summary: "an operator must look: \(reason)",
                remedy: """
                    Old QEMU: \(old.name), \(old.endpoint). New QEMU: \(new.name), \(new.endpoint). Decide which one is \
                    right, end the other, and run `hyperfresh recover` again.
                    """)
        }
    }

    private func keepOld(resume: Bool) async throws -> Conclusion {
        try await new.end()
        places.discard()
        if let client = old.client {
            try await OldSide.restore(client, settings: entry.oldSettings, resume: resume)
        } else if entry.oldSettings != nil {
            return Conclusion(
                outcome: .rolledBack,
                summary: """
                    rolled back: the guest is on the old QEMU (\(old.name)), which does not answer and keeps the \
                    migration settings of a refresh
                    """,
                remedy: "Let go of its monitor (\(old.endpoint)) and run `hyperfresh recover` again.")
        }
        return Conclusion(
            outcome: .rolledBack, summary: "rolled back: the guest is on the old QEMU (\(old.name))", final: .rolledBack
        )
    }

    private func keepNew(resume: Bool) async throws -> Conclusion {
        if let client = new.client { await places.rescue(into: client) }
        // First the old side, then `cont`: with nobody waiting for milliseconds, certainty comes first.
        try await old.end()
        if !state.isCommitted { try journal.append(state: HandoffState.committed.rawValue) }
        if let client = new.client {
            if resume { _ = try await client.execute(Cont()) }
            if let settings = entry.newSettings { try await MigrationLink.restore(settings, on: client) }
            _ = try? await client.execute(AnnounceSelf())
        }
        try await places.settle(on: new.client)
        return Conclusion(
            outcome: .refreshed, summary: "finished: the guest is on the new QEMU (\(new.name))", final: .retired)
    }

    private func clearAway() async throws -> Conclusion {
        try await new.end()
        if state.isCommitted { try await old.end() }
        places.discard()
        return Conclusion(
            outcome: .lost,
            summary: state.isCommitted
                ? "the guest's QEMU (the new one, \(new.name)) is gone, and the guest with it"
                : "the guest's QEMU (the old one, \(old.name)) is gone, and the guest with it",
            remedy: "Start the guest anew. Its disks are as it left them.", final: .lost)
    }
}
