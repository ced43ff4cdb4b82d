internal import Synchronization

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
