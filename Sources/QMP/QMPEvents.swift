/// The events of a monitor from the moment at which this was made.
///
/// They keep QEMU's order and wait in a queue of this stream's own, up to its capacity. The stream never just stops: it
/// throws `disconnected` (or what else ended the connection) after the last event, `overflow` when events were lost, and
/// `cancelled` when the waiting task is cancelled.
public final class QMPEvents: AsyncSequence, Sendable {
    /// An event.
    public typealias Element = QMPEvent

    /// Why there are no more.
    public typealias Failure = QMPError

    private let queue: EventQueue
    private let connection: QMPConnection
    private let listener: UInt64

    init(_ connection: QMPConnection, named names: Set<String>, capacity: Int) {
        let queue = EventQueue(capacity: capacity)
        self.queue = queue
        self.connection = connection
        listener = connection.listen(to: names) { queue.offer($0) }
    }

    deinit {
        connection.stopListening(listener)
    }

    /// Waits for the next event.
    ///
    /// - Returns: The event.
    /// - Throws: What ended the stream, then and ever after; `cancelled`.
    public func next() async throws(QMPError) -> QMPEvent {
        let ticket = queue.ticket()
        let outcome = await withTaskCancellationHandler {
            await queue.next(ticket)
        } onCancel: {
            queue.giveUp(ticket, QMPError(.cancelled, "the wait for an event was cancelled"))
        }
        return try outcome.get()
    }

    /// Waits for the next event, but not longer than given.
    ///
    /// - Parameter patience: The longest wait.
    /// - Returns: The event.
    /// - Throws: `timeout`, after which the stream goes on; what ended the stream; `cancelled`.
    public func next(within patience: Duration) async throws(QMPError) -> QMPEvent {
        let ticket = queue.ticket()
        let timer = Task { [queue] in
            guard (try? await Task.sleep(for: patience)) != nil else { return }
            queue.giveUp(ticket, QMPError(.timeout, "no event within \(patience)"))
        }
        defer { timer.cancel() }
        let outcome = await withTaskCancellationHandler {
            await queue.next(ticket)
        } onCancel: {
            queue.giveUp(ticket, QMPError(.cancelled, "the wait for an event was cancelled"))
        }
        return try outcome.get()
    }

    /// An iterator; all iterators of a stream take from the same queue.
    ///
    /// - Returns: The iterator.
    public func makeAsyncIterator() -> Iterator { Iterator(events: self) }

    /// Takes one event after the other.
    public struct Iterator: AsyncIteratorProtocol {
        let events: QMPEvents

        /// Waits for the next event.
        ///
        /// - Returns: The event; never nil.
        /// - Throws: What ended the stream; `cancelled`.
        public mutating func next() async throws(QMPError) -> QMPEvent? { try await events.next() }

        /// Waits for the next event.
        ///
        /// - Parameter actor: Where the caller runs.
        /// - Returns: The event; never nil.
        /// - Throws: What ended the stream; `cancelled`.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(QMPError) -> QMPEvent? {
            try await events.next()
        }
    }
}
