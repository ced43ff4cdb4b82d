import Glibc
import Handoff
import Synchronization

/// Places where a test may have this process die, stand still, or fail, to see that the guest ends where it should.
///
/// There is one before and one after every action of a handoff, records of the journal among them. All are inert unless
/// `HYPERFRESH_FAULT` names one, as `DEED-MOMENT-PLACE:NAME`, with `:COUNT` for the so-manieth time:
///
/// - the deed is `kill`; or `stop` (SIGSTOP: whoever watches may do something to the two sides, and send SIGCONT); or `fail`:
///   before an action it is not performed and answered with its failure, after it only the answer is lost;
/// - the moment is `before` or `after`: after an action that nobody waits for (`beginSwitch`, `resumeNew`) is when it is
///   under way;
/// - the place is `record` with the name of a state, or `action` with that of an action.
///
/// The record of `planned` is written twice: before anything is done, and with the new process in it. A record that was
/// written cannot fail: `fail-after-record` does nothing.
enum FaultPoint {
    /// Before or after.
    enum Moment: String {
        case before, after
    }

    /// What a test chose.
    struct Choice: Equatable {
        enum Deed: String, CaseIterable {
            case kill, stop, fail
        }

        let deed: Deed
        let place: String
        let count: Int

        /// Reads `DEED-MOMENT-PLACE:NAME[:COUNT]`.
        init?(_ text: String) {
            let words = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard (2...3).contains(words.count),
                let deed = Deed.allCases.first(where: { words[0].hasPrefix("\($0)-") })
            else { return nil }
            self.deed = deed
            place = "\(words[0].dropFirst("\(deed)-".count)):\(words[1])"
            guard let count = words.count == 3 ? Int(words[2]) : 1, count > 0 else { return nil }
            self.count = count
        }
    }

    private static let choice = getenv("HYPERFRESH_FAULT").flatMap { Choice(String(cString: $0)) }
    private static let passed = Atomic(0)

    /// Passes the two places of an action.
    ///
    /// - Parameters:
    ///   - action: The action.
    ///   - perform: Performs it.
    /// - Returns: Its answer if it has one already; or its failure, if a test wants that.
    static func around(_ action: HandoffAction, _ perform: () -> HandoffEvent?) -> HandoffEvent? {
        if reach(.before, action) { return action.failure }
        let event = perform()
        return reach(.after, action) ? action.failure : event
    }

    /// As the other, for an action that takes its time.
    static func around(_ action: HandoffAction, _ perform: () async -> HandoffEvent) async -> HandoffEvent {
        if reach(.before, action), let failure = action.failure { return failure }
        let event = await perform()
        return reach(.after, action) ? action.failure ?? event : event
    }

    /// Passes one place; may not come back.
    ///
    /// - Returns: Whether the action is to fail.
    static func reach(_ moment: Moment, _ action: HandoffAction) -> Bool {
        guard let choice, "\(moment)-\(action.place)" == choice.place,
            passed.add(1, ordering: .relaxed).newValue == choice.count
        else { return false }
        // To this very thread: nothing more is done before the signal is.
        switch choice.deed {
        case .kill: raise(SIGKILL)
        case .stop: raise(SIGSTOP)
        case .fail: return true
        }
        return false
    }
}

extension HandoffAction {
    /// `record:STATE`, or `action:NAME`; `restoreOld(resume: true)` is named by its first word.
    fileprivate var place: String {
        if case .record(let state) = self { return "record:\(state.rawValue)" }
        return "action:\("\(self)".prefix { $0 != "(" })"
    }
}
