/// The events of a monitor since the creation of this stream.
///
/// They keep QEMU's order and wait in the stream's own queue, up to its capacity. The stream never ends silently: it
/// throws `disconnected` (or the other error that ended the connection) after the last event, `overflow` if events were
/// lost, and `cancelled` if the waiting task is cancelled.
public final class QMPEvents: AsyncSequence, Sendable {
    /// An event.
    public typealias Element = QMPEvent

    /// The error that ended the stream.
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
    /// - Throws: The error that ended the stream, in every later call too; `cancelled`.
    public func next() async throws(QMPError) -> QMPEvent {
        let ticket = queue.ticket()
        let outcome = await withTaskCancellationHandler {
            await queue.next(ticket)
        } onCancel: {
            queue.giveUp(ticket, QMPError(.cancelled, "the wait for an event was cancelled"))
        }
        return try outcome.get()
    }

    /// Waits for the next event, up to a time limit.
    ///
    /// - Parameter patience: The maximum wait.
    /// - Returns: The event.
    /// - Throws: `timeout`, after which the stream continues; the error that ended the stream; `cancelled`.
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

    /// Returns an iterator; all iterators of a stream take from the same queue.
    ///
    /// - Returns: The iterator.
    public func makeAsyncIterator() -> Iterator { Iterator(events: self) }

    /// Takes events from the queue of the stream.
    public struct Iterator: AsyncIteratorProtocol {
        let events: QMPEvents

        /// Waits for the next event.
        ///
        /// - Returns: The event; never nil.
        /// - Throws: The error that ended the stream; `cancelled`.
        public mutating func next() async throws(QMPError) -> QMPEvent? { try await events.next() }

        /// Waits for the next event.
        ///
        /// - Parameter actor: The caller's actor.
        /// - Returns: The event; never nil.
        /// - Throws: The error that ended the stream; `cancelled`.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(QMPError) -> QMPEvent? {
            try await events.next()
        }
    }
}
