import Handoff
import Journal
import Linux
import Logging

/// One side as recovery finds it.
protocol RecoverableSide: Sendable {
    /// The side's name in messages: `pid 4711`.
    var name: String { get }
    /// The address of its monitor, for messages.
    var endpoint: String { get }
    var observation: SideObservation { get }

    /// Ends it permanently; does nothing if it is gone.
    func end() async throws(HyperFreshError)
    /// Restores the old side, after the new one is gone; it runs if `resume`.
    ///
    /// - Returns: A conclusion if it could not be restored completely.
    func restore(resume: Bool, of entry: HandoffEntry) async throws -> HandoffRecovery.Conclusion?
    /// Makes the new side the only one, after the old one is gone; it runs if `resume`.
    func run(resume: Bool, of entry: HandoffEntry) async throws
    /// Closes the connections to it.
    func close()
}

/// The endpoints and records that a kind of handoff has to settle in addition to the two sides.
protocol RecoveryPlaces: Sendable {
    /// Takes resources out of the old side that would end with it, before it is ended.
    func rescue() async
    /// Moves endpoints and records to the new side, after it owns the guest.
    func settle() async throws
    /// Records that the guest is lost with the new side, which alone could run it.
    func recordLoss() async throws
    /// Removes the files of a new side that is gone.
    func discard()
    /// Returns processes that have the guest, or may have it, and are neither side of this handoff.
    ///
    /// - Throws: If that cannot be determined; then no loss may be reported.
    func strangers() throws(HyperFreshError) -> [FileHolder]
}

extension RecoveryPlaces {
    func rescue() async {}
    func recordLoss() async throws {}
    func discard() {}
    func strangers() throws(HyperFreshError) -> [FileHolder] { [] }
}

/// Recovers one unfinished handoff: observes both sides, asks the recovery table, performs its decision.
///
/// Every step is harmless when repeated, and the final record is written last: a recovery that was killed can be run
/// again.
struct HandoffRecovery {
    let entry: HandoffEntry
    let state: HandoffState
    let journal: JournalWriter
    let old: any RecoverableSide
    let new: any RecoverableSide
    let places: any RecoveryPlaces
    /// The nouns of this handoff for messages.
    var words = Words(tenant: "guest", side: "QEMU")

    /// Nouns for messages.
    struct Words {
        let tenant: String
        let side: String
        /// The remedy if it is lost.
        var afterLoss =
            "No process has the guest's memory any more. Start the guest again; its disks are as it left them."
    }

    /// The result of a recovery.
    struct Conclusion {
        var outcome: RefreshOutcome
        var summary: String
        var remedy: String?
        /// The state to record; `nil` leaves the handoff unfinished.
        var final: HandoffState?
        /// Whether nothing is left to do although no state was recorded, because the record was set aside.
        var isSettled = false

        /// The conclusion for a guest that a living controller has locked; `holder` names that.
        static func atWork(_ holder: String? = nil) -> Conclusion {
            let who = holder.map { ": \($0)" } ?? ""
            return Conclusion(
                outcome: .unknown, summary: "another hyperfresh is working on this guest\(who); nothing was touched",
                remedy: "Wait until it has ended (`hyperfresh status`), then run `hyperfresh recover` again.")
        }

        /// The conclusion for a journal that was continued after it was read.
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
                outcome: outcome, summary: "another hyperfresh has settled it in the meantime",
                remedy: outcome == .lost ? "`hyperfresh history` shows its result." : nil)
            conclusion.isSettled = true
            return conclusion
        }

        /// The conclusion for a record of another version.
        static let foreign = Conclusion(
            outcome: .unknown, summary: "another version of hyperfresh wrote its record; nothing was touched",
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
                outcome: .unknown, summary: "recovery did not complete: \(Self.summary(of: error))",
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
        case .finished: return Conclusion(outcome: .refreshed, summary: "the handoff had ended already", final: nil)
        // Another process that has the memory may run the guest: then neither side may be resumed next to it.
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
                The old \(words.side) (\(old.name), \(old.endpoint)) \(old.observation.words). The new one \
                (\(new.name), \(new.endpoint)) \(new.observation.words). Run `hyperfresh recover` again once that \
                has changed.
                """)
    }

    private func lookAtStrangers() throws(HyperFreshError) -> Conclusion? {
        let strangers = try places.strangers()
        guard !strangers.isEmpty else { return nil }
        return mustLook("the \(words.tenant)'s memory is also mapped by \(strangers.list), which is neither side")
    }

    private func keepOld(resume: Bool) async throws -> Conclusion {
        try await new.end()
        places.discard()
        if let shortcoming = try await old.restore(resume: resume, of: entry) { return shortcoming }
        return Conclusion(
            outcome: .rolledBack,
            summary: "rolled back: the \(words.tenant) is on the old \(words.side) (\(old.name))",
            final: .rolledBack)
    }

    private func keepNew(resume: Bool) async throws -> Conclusion {
        await places.rescue()
        // End the old side before the new one runs: here, safety is more important than downtime.
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
            try await places.recordLoss()
        }
        places.discard()
        let owner = state.isCommitted ? "the new one, \(new.name)" : "the old one, \(old.name)"
        let strangers = try places.strangers()
        guard strangers.isEmpty else {
            return Conclusion(
                outcome: .unknown,
                summary: """
                    the handoff is over: the \(words.tenant)'s \(words.side) (\(owner)) is gone, but \(strangers.list) \
                    maps the \(words.tenant)'s memory
                    """,
                remedy: """
                    `hyperfresh ps` shows whether the \(words.tenant) runs there. Do not start it a second time.
                    """, final: .lost)
        }
        return Conclusion(
            outcome: .lost,
            summary: "the \(words.tenant)'s \(words.side) (\(owner)) is gone, and the \(words.tenant) with it",
            remedy: words.afterLoss, final: .lost)
    }
}
