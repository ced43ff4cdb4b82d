import Handoff
import Journal
import Linux
import Logging

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
    func restore(resume: Bool, of entry: HandoffEntry) async throws -> HandoffRecovery.Conclusion?
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
    /// Whoever else has the guest, or may: processes that are neither side of this handoff.
    ///
    /// - Throws: If that cannot be seen; then nothing may be said of a loss.
    func strangers() throws(HyperFreshError) -> [FileHolder]
}

extension RecoveryPlaces {
    func rescue() async {}
    func bury() async throws {}
    func discard() {}
    func strangers() throws(HyperFreshError) -> [FileHolder] { [] }
}

/// Brings one unfinished handoff to its end: observes both sides, asks the recovery table, does what it says.
///
/// Every step is harmless when repeated, and the final record is written last: a recovery that is killed is run again.
struct HandoffRecovery {
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
        /// What to do when it is lost.
        var afterLoss =
            "No process has the guest's memory any more. Start the guest anew; its disks are as it left them."
    }

    /// What was found and done.
    struct Conclusion {
        var outcome: RefreshOutcome
        var summary: String
        var remedy: String?
        /// The state to record; `nil` leaves the handoff unfinished.
        var final: HandoffState?
        /// Whether nothing is left to do though no state was recorded: its record was set aside.
        var isSettled = false

        /// For a guest that a living controller has locked; `holder` says who that is.
        static func atWork(_ holder: String? = nil) -> Conclusion {
            let who = holder.map { ": \($0)" } ?? ""
            return Conclusion(
                outcome: .unknown, summary: "another hyperfresh is at work on this guest\(who); nothing was touched",
                remedy: "Wait until it has ended (`hyperfresh status`), then run `hyperfresh recover` again.")
        }

        /// For a record that went on after it was read.
        static func settledMeanwhile(_ state: String?) -> Conclusion {
            let outcome: RefreshOutcome? =
                switch state.flatMap(HandoffState.init(rawValue:)) {
                case .retired: .refreshed
                case .rolledBack: .rolledBack
                case .lost: .lost
                default: nil
                }
            guard let outcome else { return .atWork() }
            var conclusion = Conclusion(
                outcome: outcome, summary: "another hyperfresh has settled it meanwhile",
                remedy: outcome == .lost ? "`hyperfresh history` tells what it found." : nil)
            conclusion.isSettled = true
            return conclusion
        }

        /// For a record that this program does not understand.
        static let foreign = Conclusion(
            outcome: .unknown, summary: "its record was made by another version of hyperfresh; nothing was touched",
            remedy: "Recover with that version.")
    }

    func run() async -> Conclusion {
        let decision = Recovery.decide(
            recorded: state, guestRan: entry.guestRan, old: old.observation, new: new.observation)
        Logger.current.debug(
            "recovery decided: \(decision)",
            metadata: [
                "handoff": "\(entry.id)", "recorded": "\(state.rawValue)", "old": "\(old.observation)",
                "new": "\(new.observation)",
            ])
        defer {
            old.close()
            new.close()
        }
        do {
            return try await carryOut(decision)
        } catch {
            return Conclusion(
                outcome: .unknown, summary: "recovery did not come to its end: \(Self.summary(of: error))",
                remedy: (error as? HyperFreshError)?.remedy
                    ?? "Remove the cause, then run `hyperfresh recover` again.")
        }
    }

    private static func summary(of error: any Error) -> String {
        guard let error = error as? HyperFreshError else { return "\(error)" }
        return ([error.message] + error.evidence).joined(separator: "; ")
    }

    private func carryOut(_ decision: RecoveryDecision) async throws -> Conclusion {
        switch decision {
        case .finished: return Conclusion(outcome: .refreshed, summary: "had ended", final: nil)
        // Whoever else has the memory may run the guest: then neither side is let run beside it.
        case .keepOld(let resume):
            if resume, let look = try lookAtStrangers() { return look }
            return try await keepOld(resume: resume)
        case .keepNew(let resume):
            if resume, let look = try lookAtStrangers() { return look }
            return try await keepNew(resume: resume)
        case .lost: return try await clearAway()
        case .mustLook(let reason): return mustLook(reason)
        }
    }

    private func mustLook(_ reason: String) -> Conclusion {
        Conclusion(
            outcome: .unknown, summary: "an operator must look: \(reason); nothing was touched",
            remedy: """
                The old \(words.side) (\(old.name), \(old.endpoint)) \(old.observation.words). The new one (\(new.name), \
                \(new.endpoint)) \(new.observation.words). Run `hyperfresh recover` again once that has changed.
                """)
    }

    private func lookAtStrangers() throws(HyperFreshError) -> Conclusion? {
        let strangers = try places.strangers()
        guard !strangers.isEmpty else { return nil }
        return mustLook("the \(words.tenant)'s memory is mapped by \(strangers.list), too, which is neither side")
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
        let owner = state.isCommitted ? "the new one, \(new.name)" : "the old one, \(old.name)"
        let strangers = try places.strangers()
        guard strangers.isEmpty else {
            return Conclusion(
                outcome: .unknown,
                summary: """
                    the handoff is over: the \(words.tenant)'s \(words.side) (\(owner)) is gone, but \(strangers.list) maps the \
                    \(words.tenant)'s memory
                    """,
                remedy: """
                    `hyperfresh list` shows whether the \(words.tenant) runs there. Do not start it a second time.
                    """, final: .lost)
        }
        return Conclusion(
            outcome: .lost,
            summary: "the \(words.tenant)'s \(words.side) (\(owner)) is gone, and the \(words.tenant) with it",
            remedy: words.afterLoss, final: .lost)
    }
}
