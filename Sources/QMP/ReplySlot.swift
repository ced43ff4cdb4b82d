internal import JSON
internal import Synchronization

/// Holds the one reply to a command for the callers that wait for it.
final class ReplySlot: Sendable {
    typealias Outcome = Result<JSONValue, QMPError>

    private enum State {
        case empty([CheckedContinuation<Outcome, Never>])
        case full(Outcome)
    }

    private let state = Mutex(State.empty([]))

    /// Stores the outcome; only the first one counts.
    func fill(_ outcome: Outcome) {
        let waiting = state.withLock { state -> [CheckedContinuation<Outcome, Never>] in
            guard case .empty(let waiting) = state else { return [] }
            state = .full(outcome)
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: outcome) }
    }

    /// Waits for the outcome; only `fill` ends the wait.
    func outcome() async -> Outcome {
        await withCheckedContinuation { continuation in
            let outcome = state.withLock { state -> Outcome? in
                switch state {
                case .full(let outcome): return outcome
                case .empty(let waiting):
                    state = .empty(waiting + [continuation])
                    return nil
                }
            }
            if let outcome { continuation.resume(returning: outcome) }
        }
    }
}
