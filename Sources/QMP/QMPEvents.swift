public import JSON
internal import Synchronization

/// An event from QEMU.
public struct QMPEvent: Sendable, Hashable {
    /// The event's name in QMP, such as `STOP`, `RESUME`, `MIGRATION`, `SHUTDOWN`.
    public let name: String

    /// The event's data; empty for many.
    public let data: [String: JSONValue]

    /// When QEMU emitted it.
    public let timestamp: QMPTimestamp

    /// Creates an event, as if QEMU had emitted it.
    ///
    /// - Parameters:
    ///   - name: The event's name in QMP.
    ///   - data: The event's data.
    ///   - timestamp: When QEMU emitted it.
    public init(name: String, data: [String: JSONValue] = [:], timestamp: QMPTimestamp) {
        self.name = name
        self.data = data
        self.timestamp = timestamp
    }
}

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

/// The unread events of one subscriber.
final class EventQueue: Sendable {
    typealias Outcome = Result<QMPEvent, QMPError>

    private struct State {
        var buffer: [QMPEvent] = []
        var head = 0
        var end: QMPError?
        var waiters: [(id: UInt64, continuation: CheckedContinuation<Outcome, Never>)] = []
        /// The current waits; the value is the reason to end a wait that was given up before it was suspended.
        var tickets: [UInt64: QMPError?] = [:]
        var nextTicket: UInt64 = 0

        var count: Int { buffer.count - head }

        mutating func takeFirst() -> QMPEvent? {
            guard head < buffer.count else { return nil }
            defer {
                head += 1
                if head == buffer.count {
                    buffer.removeAll(keepingCapacity: true)
                    head = 0
                }
            }
            return buffer[head]
        }

        mutating func append(_ event: QMPEvent) {
            if head > 64, head * 2 > buffer.count {
                buffer.removeFirst(head)
                head = 0
            }
            buffer.append(event)
        }
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    /// Adds an event, or the end of the stream.
    func offer(_ outcome: Outcome) {
        switch outcome {
        case .success(let event): add(event)
        case .failure(let error): finish(error)
        }
    }

    private func add(_ event: QMPEvent) {
        let waiter = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
            guard state.end == nil else { return nil }
            if !state.waiters.isEmpty { return state.waiters.removeFirst().continuation }
            if state.count < capacity {
                state.append(event)
            } else {
                state.end = QMPError(
                    .overflow,
                    "more than \(capacity) events were unread, and '\(event.name)' is lost; "
                        + "read faster, subscribe to fewer events or use a larger capacity"
                )
            }
            return nil
        }
        waiter?.resume(returning: .success(event))
    }

    private func finish(_ error: QMPError) {
        let waiters = state.withLock { state in
            if state.end == nil { state.end = error }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.continuation.resume(returning: .failure(error)) }
    }

    /// Registers a wait, which `next` completes.
    func ticket() -> UInt64 {
        state.withLock { state in
            state.nextTicket += 1
            state.tickets.updateValue(nil, forKey: state.nextTicket)
            return state.nextTicket
        }
    }

    /// Waits for the next event or for the end, which follows the last event and is permanent.
    func next(_ ticket: UInt64) async -> Outcome {
        let outcome: Outcome = await withCheckedContinuation { continuation in
            let outcome = state.withLock { state -> Outcome? in
                if let reason = state.tickets[ticket] ?? nil { return .failure(reason) }
                if let event = state.takeFirst() { return .success(event) }
                if let end = state.end { return .failure(end) }
                state.waiters.append((ticket, continuation))
                return nil
            }
            if let outcome { continuation.resume(returning: outcome) }
        }
        state.withLock { _ = $0.tickets.removeValue(forKey: ticket) }
        return outcome
    }

    /// Ends a wait unless it has completed.
    func giveUp(_ ticket: UInt64, _ reason: QMPError) {
        let waiter = state.withLock { state -> CheckedContinuation<Outcome, Never>? in
            guard let place = state.waiters.firstIndex(where: { $0.id == ticket }) else {
                if state.tickets.keys.contains(ticket) { state.tickets.updateValue(reason, forKey: ticket) }
                return nil
            }
            return state.waiters.remove(at: place).continuation
        }
        waiter?.resume(returning: .failure(reason))
    }
}

/// A subscription whose handler runs in the reader thread; it ends when it is released.
public final class QMPTap: Sendable {
    private let connection: QMPConnection
    private let listener: UInt64

    init(
        _ connection: QMPConnection,
        named names: Set<String>,
        _ handler: @escaping @Sendable (Result<QMPEvent, QMPError>) -> Void
    ) {
        self.connection = connection
        listener = connection.listen(to: names, handler)
    }

    deinit {
        connection.stopListening(listener)
    }

    /// Ends the subscription; a call that is running in the reader thread may still finish.
    public func cancel() {
        connection.stopListening(listener)
    }
}

/// The time at which QEMU emitted an event, by the wall clock of its host.
public struct QMPTimestamp: Sendable, Hashable, Comparable {
    /// Seconds since 1970-01-01 UTC; -1 if QEMU could not determine it.
    public let seconds: Int64

    /// Microseconds within the second, 0 to 999,999; -1 if QEMU could not determine it.
    public let microseconds: Int64

    /// Creates a time; -1 means unknown.
    ///
    /// - Parameters:
    ///   - seconds: Seconds since 1970-01-01 UTC.
    ///   - microseconds: Microseconds within the second.
    public init(seconds: Int64, microseconds: Int64) {
        self.seconds = seconds
        self.microseconds = microseconds
    }

    /// Microseconds since 1970-01-01 UTC, limited to ±2^61, so that the difference of two fits into 64 bits.
    public var microsecondsSinceEpoch: Int64 {
        let bound: Int64 = 1 << 61
        let (whole, isTooMuch) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, isStillTooMuch) = whole.addingReportingOverflow(microseconds)
        if isTooMuch { return seconds < 0 ? -bound : bound }
        if isStillTooMuch { return microseconds < 0 ? -bound : bound }
        return min(max(sum, -bound), bound)
    }

    /// Orders by time.
    public static func < (left: QMPTimestamp, right: QMPTimestamp) -> Bool {
        (left.seconds, left.microseconds) < (right.seconds, right.microseconds)
    }
}
