import Synchronization

/// The wish to roll back, for an operation of several parts: it reaches those that run, and those that begin later.
final class Cancellation: Sendable {
    private struct State {
        var isCancelled = false
        var lastID = 0
        var handlers: [Int: @Sendable () -> Void] = [:]
    }
    private let state = Mutex(State())

    /// Rolls back uncommitted work; committed work completes.
    @Sendable func cancel() {
        let handlers = state.withLock { state in
            state.isCancelled = true
            return state.handlers.values
        }
        for handler in handlers { handler() }
    }

    /// Calls a handler when the operation is cancelled, at once if it is already.
    ///
    /// - Returns: What ``remove(_:)`` takes.
    @discardableResult
    func onCancel(_ handler: @escaping @Sendable () -> Void) -> Int {
        let (id, isCancelled) = state.withLock { state in
            state.lastID += 1
            state.handlers[state.lastID] = handler
            return (state.lastID, state.isCancelled)
        }
        if isCancelled { handler() }
        return id
    }

    /// Forgets a handler.
    func remove(_ id: Int) { state.withLock { $0.handlers[id] = nil } }
}
