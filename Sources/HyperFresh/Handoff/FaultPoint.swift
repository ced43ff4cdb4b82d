import Glibc
import Handoff
import Synchronization

/// Points at which a test may kill, stop or fail this process, to check where the guest ends.
///
/// There is one before and one after every action of a handoff, including the records of the journal. None has an
/// effect unless `HYPERFRESH_FAULT` names it, as `FAULT-MOMENT-PLACE:NAME`, with `:COUNT` for the n-th time:
///
/// - the fault is `kill`; or `stop` (SIGSTOP: the test may change the two sides, and send SIGCONT); or `fail`: before
///   an action, the action is answered with its failure instead of performed; after it, only its answer is lost;
/// - the moment is `before` or `after`; `after` an action that is not waited for (`beginSwitch`, `resumeNew`) means
///   that it is in progress;
/// - the place is `record` with the name of a state, or `action` with that of an action.
///
/// The record of `planned` is written twice: before the first action, and again with the new process in it. A record
/// that was written cannot fail: `fail-after-record` does nothing.
enum FaultPoint {
    /// Whether a point is before or after its action.
    enum Moment: String {
        case before, after
    }

    /// The fault that a test has chosen.
    struct Choice: Equatable {
        enum Fault: String, CaseIterable {
            case kill, stop, fail
        }

        let fault: Fault
        let place: String
        let count: Int

        /// Parses `FAULT-MOMENT-PLACE:NAME[:COUNT]`.
        init?(_ text: String) {
            let words = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard (2...3).contains(words.count),
                let fault = Fault.allCases.first(where: { words[0].hasPrefix("\($0)-") })
            else { return nil }
            self.fault = fault
            place = "\(words[0].dropFirst("\(fault)-".count)):\(words[1])"
            guard let count = words.count == 3 ? Int(words[2]) : 1, count > 0 else { return nil }
            self.count = count
        }
    }

    private static let choice = getenv("HYPERFRESH_FAULT").flatMap { Choice(String(cString: $0)) }
    private static let passed = Atomic(0)

    /// Performs an action between its two points.
    ///
    /// - Parameters:
    ///   - action: The action.
    ///   - perform: Performs it.
    /// - Returns: The answer, if there is one already; or the failure, if a test has chosen that.
    static func around(_ action: HandoffAction, _ perform: () -> HandoffEvent?) -> HandoffEvent? {
        if reach(.before, action) { return action.failure }
        let event = perform()
        return reach(.after, action) ? action.failure : event
    }

    /// Performs an asynchronous action between its two points.
    static func around(_ action: HandoffAction, _ perform: () async -> HandoffEvent) async -> HandoffEvent {
        if reach(.before, action), let failure = action.failure { return failure }
        let event = await perform()
        return reach(.after, action) ? action.failure ?? event : event
    }

    /// Passes one point; does not return if a test kills the process here.
    ///
    /// - Returns: Whether the action has to fail.
    static func reach(_ moment: Moment, _ action: HandoffAction) -> Bool {
        guard let choice, "\(moment)-\(action.place)" == choice.place,
            passed.add(1, ordering: .relaxed).newValue == choice.count
        else { return false }
        // Signal this thread: it does nothing more until it has received the signal.
        switch choice.fault {
        case .kill: raise(SIGKILL)
        case .stop: raise(SIGSTOP)
        case .fail: return true
        }
        return false
    }
}

extension HandoffAction {
    /// `record:STATE`, or `action:NAME`; `restoreOld(resume: true)` is named without its argument.
    fileprivate var place: String {
        if case .record(let state) = self { return "record:\(state.rawValue)" }
        return "action:\("\(self)".prefix { $0 != "(" })"
    }
}
