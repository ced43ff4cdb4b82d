import Handoff
import Journal

/// One side as recovery finds it, and how it is ended.
protocol RecoverableSide: Sendable {
    /// Where it is, for messages: `pid 4711`.
    var name: String { get }
    /// Where its monitor answers, for messages.
    var endpoint: String { get }
    var observation: SideObservation { get }

    /// Ends it for good; nothing to do when it is gone.
    func end() async throws(HyperFreshError)
    /// Brings the old side back to what it was, the new one being gone; it runs if `resume`.
    ///
    /// - Returns: How far it came, if not to the end.
    func restore(resume: Bool, of entry: HandoffEntry) async throws -> GuestRecovery.Conclusion?
    /// Makes the new side the only one, the old one being gone; it runs if `resume`.
    func run(resume: Bool, of entry: HandoffEntry) async throws
    /// Lets go of it.
    func close()
}

/// What a kind of handoff has to put in its place, beside the two sides.
protocol RecoveryPlaces: Sendable {
    /// Takes out of the old side what ends with it, before it is ended.
    func rescue() async
    /// Puts everything where it belongs once the guest is the new side's.
    func settle() async throws
    /// Remembers that the guest went with the new side, which was the only one that could run it.
    func bury() async throws
    /// Removes what a new side that is gone has left.
    func discard()
}

extension RecoveryPlaces {
    func rescue() async {}
    func bury() async throws {}
    func discard() {}
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
    /// What the handoff was of, and from where to where, in words.
    var words = Words(tenant: "guest", side: "QEMU")

    /// How the things of a handoff are called.
    struct Words {
        let tenant: String
        let side: String
    }

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
                    Old \(words.side): \(old.name), \(old.endpoint). New \(words.side): \(new.name), \(new.endpoint). Decide \
                    which one is right, end the other, and run `hyperfresh recover` again.
                    """)
        }
    }

    private func keepOld(resume: Bool) async throws -> Conclusion {
        try await new.end()
        places.discard()
        if let shortcoming = try await old.restore(resume: resume, of: entry) { return shortcoming }
        return Conclusion(
            outcome: .rolledBack, summary: "rolled back: the \(words.tenant) is on the old \(words.side) (\(old.name))",
            final: .rolledBack)
    }

    private func keepNew(resume: Bool) async throws -> Conclusion {
        await places.rescue()
        // First the old side, then the new one: with nobody waiting for milliseconds, certainty comes first.
        try await old.end()
        if !state.isCommitted { try journal.append(state: HandoffState.committed.rawValue) }
        try await new.run(resume: resume, of: entry)
        try await places.settle()
        return Conclusion(
            outcome: .refreshed, summary: "finished: the \(words.tenant) is on the new \(words.side) (\(new.name))",
            final: .retired)
    }

    private func clearAway() async throws -> Conclusion {
        try await new.end()
        if state.isCommitted {
            try await old.end()
            try await places.bury()
        }
        places.discard()
        return Conclusion(
            outcome: .lost,
            summary: state.isCommitted
                ? "the \(words.tenant)'s \(words.side) (the new one, \(new.name)) is gone, and the \(words.tenant) with it"
                : "the \(words.tenant)'s \(words.side) (the old one, \(old.name)) is gone, and the \(words.tenant) with it",
            remedy: "Start the \(words.tenant) anew. Its disks are as it left them.", final: .lost)
    }
}
