internal import JSON
internal import Linux
internal import Synchronization

/// One connection to a monitor: the session, its socket, its reader thread and its waiters.
///
/// The reader thread only reads, and blocks in recvmsg; it passes each event to the listeners in the order of arrival
/// and wakes the callers that wait for replies. Senders write in their own threads (see `submit`).
final class QMPConnection: Sendable {
    /// A subscriber to events; the failure comes once, after the last event.
    struct Listener {
        let id: UInt64
        let names: Set<String>
        let deliver: @Sendable (Result<QMPEvent, QMPError>) -> Void
    }

    /// A command whose reply is awaited.
    struct Waiter {
        let slot: ReplySlot
        let command: JSONValue?
        /// The patience, counted from the last reply of QEMU to an earlier command.
        var deadline: ContinuousClock.Instant
        let patience: Duration
        var isSent = false
    }

    struct State {
        var session = QMPSession()
        var waiters: [UInt64: Waiter] = [:]
        var listeners: [Listener] = []
        var nextListener: UInt64 = 1
        var receivedAnything = false

        /// The earliest time at which a timer checks for expired commands.
        var alarm: ContinuousClock.Instant?
    }

    /// Commands for which the socket has no room yet.
    struct Outbox {
        struct Entry {
            let id: UInt64
            let bytes: [UInt8]
            let descriptors: [Int32]
            let deadline: ContinuousClock.Instant

            /// The number of bytes already sent.
            var sent = 0
        }

        var entries: [Entry] = []
        var isBeingEmptied = false
    }

    let endpoint: String
    let stream: UnixStream
    let peer: PeerCredentials?
    let state = Mutex(State())
    let outbox = Mutex(Outbox())
    let log: QMPLog?
    private let limits: JSONLimits

    init(_ stream: UnixStream, endpoint: String, limits: JSONLimits) {
        self.stream = stream
        self.endpoint = endpoint
        self.limits = limits
        peer = try? stream.peerCredentials()
        log = QMPLog(endpoint: endpoint)
    }

    /// Ends the connection; all waiting calls fail with the reason.
    func end(_ reason: QMPError) {
        let reason = located(reason)
        let (isFirst, waiters, listeners) = state.withLock { state in
            let isFirst = state.session.failure == nil
            state.session.end(reason)
            defer {
                state.waiters = [:]
                state.listeners = []
            }
            return (isFirst, state.waiters, state.listeners)
        }
        stream.shutdown()
        if isFirst { log?.append(.closed(reason: reason.message)) }
        for waiter in waiters.values {
            var error = unanswered(waiter.command, because: reason)
            error.isUnsent = !waiter.isSent
            waiter.slot.fill(.failure(error))
        }
        for listener in listeners { listener.deliver(.failure(reason)) }
    }

    /// Ends the connection from this side.
    func close() {
        end(QMPError(.disconnected, "the connection was closed by this program"))
    }

    /// Adds a listener and returns its id.
    ///
    /// Notifies it at once if the connection has already ended.
    func listen(
        to names: Set<String>,
        _ deliver: @escaping @Sendable (Result<QMPEvent, QMPError>) -> Void
    ) -> UInt64 {
        let (id, failure) = state.withLock { state -> (UInt64, QMPError?) in
            if let failure = state.session.failure { return (0, failure) }
            let id = state.nextListener
            state.nextListener += 1
            state.listeners.append(Listener(id: id, names: names, deliver: deliver))
            return (id, nil)
        }
        if let failure { deliver(.failure(failure)) }
        return id
    }

    func stopListening(_ id: UInt64) {
        state.withLock { state in state.listeners.removeAll { $0.id == id } }
    }

    /// Reads until the stream ends; runs in its own thread.
    func read() {
        var parser = JSONStreamParser(limits: limits)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)
        defer { buffer.deallocate() }
        do throws(QMPError) {
            while true {
                let count = try receive(into: buffer, isWithinMessage: parser.isWithinMessage)
                try take(UnsafeRawBufferPointer(rebasing: buffer[..<count]), &parser)
            }
        } catch {
            end(error)
        }
    }

    private func receive(
        into buffer: UnsafeMutableRawBufferPointer,
        isWithinMessage: Bool
    ) throws(QMPError) -> Int {
        let count: Int
        do throws(SystemError) {
            // Received descriptors are closed: a monitor's messages never carry any.
            count = try stream.receive(into: buffer).count
        } catch {
            throw systemError(error, "the connection to the monitor failed", code: .disconnected)
        }
        guard count > 0 else {
            let place = isWithinMessage ? " in the middle of a message" : ""
            throw QMPError(.disconnected, "the peer closed the connection\(place); check whether its QEMU still runs")
        }
        return count
    }

    private func take(_ bytes: UnsafeRawBufferPointer, _ parser: inout JSONStreamParser) throws(QMPError) {
        var failure: QMPError?
        do throws(JSONError) {
            try parser.feed(bytes) { value in
                guard failure == nil else { return }
                do throws(QMPError) { try take(value) } catch { failure = error }
            }
        } catch {
            failure = failure ?? unreadable(error)
        }
        state.withLock { $0.receivedAnything = true }
        if let failure { throw failure }
    }

    private func unreadable(_ error: JSONError) -> QMPError {
        state.withLock { state in
            if !state.session.isGreeted { return state.session.notQMP(error.description) }
            return QMPError(.protocolViolation, "the peer sent unreadable data: \(error)")
        }
    }

    /// Logs a reply before its waiter continues, so that the log has the order of the events.
    private func take(_ value: JSONValue) throws(QMPError) {
        let (effect, waiter, listeners) = try received(value)
        switch effect {
        case .greeted:
            waiter?.slot.fill(.success(value["QMP"] ?? .null))
        case .answered(_, .success(let value)):
            log?.append(.answered(name(of: waiter?.command)))
            waiter?.slot.fill(.success(value))
        case .answered(_, .failure(let refusal)):
            log?.append(.refused(name(of: waiter?.command), reason: refusal.text))
            waiter?.slot.fill(.failure(refused(refusal, command: waiter?.command)))
        case .unusable(_, let error):
            log?.append(.refused(name(of: waiter?.command), reason: error.message))
            waiter?.slot.fill(.failure(located(error, command: waiter?.command)))
        case .emitted(let event):
            log?.append(.event(event.name))
            for listener in listeners where listener.names.isEmpty || listener.names.contains(event.name) {
                listener.deliver(.success(event))
            }
        case .dropped:
            break
        }
    }

    private func received(_ value: JSONValue) throws(QMPError) -> (QMPSession.Effect, Waiter?, [Listener]) {
        let outcome: Result<(QMPSession.Effect, Waiter?, [Listener]), QMPError> = state.withLock { state in
            do throws(QMPError) {
                let effect = try state.session.received(value)
                return switch effect {
                case .greeted: .success((effect, state.waiters.removeValue(forKey: QMPSession.greetingID), []))
                case .answered(let id, _), .unusable(let id, _): .success((effect, release(id, &state), []))
                case .emitted: .success((effect, nil, state.listeners))
                case .dropped: .success((effect, nil, []))
                }
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// Removes the waiter that has its reply; restarts the deadlines of later ones, because their turn is closer.
    private func release(_ id: UInt64, _ state: inout State) -> Waiter? {
        let now = ContinuousClock.now
        for (later, waiter) in state.waiters where later > id { state.waiters[later]?.deadline = now + waiter.patience }
        return state.waiters.removeValue(forKey: id)
    }
}
