internal import JSON

/// The protocol state of one connection to a monitor.
///
/// One method per event; no I/O, no clock, no lock. After the first failure every method throws it again.
///
/// Replies are matched by id. An error without an id answers input that QEMU could not read: it answers in-band
/// commands in order, so the error belongs to the oldest unanswered one.
struct QMPSession {
    /// The consequence of a message.
    enum Effect {
        /// The peer is a monitor.
        case greeted(QMPGreeting)

        /// The reply to a command whose caller is waiting.
        case answered(UInt64, Result<JSONValue, QMPError.Refusal>)

        /// A reply without a usable result, to a command whose caller is waiting.
        case unusable(UInt64, QMPError)

        /// An event for the listeners.
        case emitted(QMPEvent)

        /// A reply for which no caller waits.
        case dropped
    }

    /// The maximum number of unanswered commands that are remembered, including abandoned ones.
    static let maximumUnanswered = 4096

    /// The id of the wait for the greeting; commands count from 1.
    static let greetingID: UInt64 = 0

    /// The error that ended the session.
    private(set) var failure: QMPError?

    private(set) var isGreeted = false
    private var nextID: UInt64 = 1

    /// The commands whose callers are waiting.
    private var awaited: Set<UInt64> = []

    /// The in-band commands without an answer, oldest first, including abandoned ones.
    private var inBand: [UInt64] = []

    /// Processes the next message.
    mutating func received(_ value: JSONValue) throws(QMPError) -> Effect {
        if let failure { throw failure }
        do throws(QMPError) {
            let message = try QMPMessage(value)
            if case .greeting(let greeting) = message, !isGreeted {
                isGreeted = true
                return .greeted(greeting)
            }
            if isGreeted { return try effect(of: message) }
            // QEMU accepts a new client a moment before it sends the greeting; events from that moment come first.
            if case .event = message { return .dropped }
            throw QMPError(.notQMP, "the peer sent a message before its greeting")
        } catch {
            let error = isGreeted ? error : notQMP(error.message)
            end(error)
            throw error
        }
    }

    /// Records that a command is being sent, and returns its id.
    mutating func issue(isOutOfBand: Bool) throws(QMPError) -> UInt64 {
        if let failure { throw failure }
        let id = nextID
        nextID += 1
        awaited.insert(id)
        if !isOutOfBand {
            inBand.append(id)
            if inBand.count > Self.maximumUnanswered { inBand.removeFirst() }
        }
        return id
    }

    /// Records that no caller waits for a reply; the reply is dropped when it arrives.
    mutating func abandon(_ id: UInt64) {
        awaited.remove(id)
    }

    /// Records that a command was never sent.
    mutating func withdraw(_ id: UInt64) {
        awaited.remove(id)
        inBand.removeAll { $0 == id }
    }

    /// Ends the session; the first reason is kept.
    mutating func end(_ reason: QMPError) {
        if failure == nil { failure = reason }
        awaited = []
        inBand = []
    }

    /// Returns the error for a peer whose messages are not QMP.
    func notQMP(_ what: String) -> QMPError {
        QMPError(.notQMP, "the peer is not a QMP monitor: \(what); give the path of a -qmp socket")
    }

    private mutating func effect(of message: QMPMessage) throws(QMPError) -> Effect {
        switch message {
        case .greeting:
            throw QMPError(.protocolViolation, "the peer sent a second greeting")
        case .event(let event):
            return .emitted(event)
        case .success(let id, let value):
            guard let id else { throw QMPError(.protocolViolation, "the peer sent a reply without id") }
            return try answered(id, .success(value))
        case .failure(let id, let refusal):
            if let id { return try answered(id, .failure(refusal)) }
            guard let oldest = inBand.first else { return .dropped }
            return answered(oldest, .failure(refusal))
        case .contradiction(let id, let error):
            guard case .answered(let number, _) = try answered(id, .success(.null)) else { return .dropped }
            return .unusable(number, error)
        }
    }

    private mutating func answered(
        _ id: JSONValue,
        _ result: Result<JSONValue, QMPError.Refusal>
    ) throws(QMPError) -> Effect {
        guard let number = id.unsigned, number > Self.greetingID, number < nextID else {
            throw QMPError(.protocolViolation, "the peer answered a command that was never sent (id \(id))")
        }
        return answered(number, result)
    }

    private mutating func answered(_ id: UInt64, _ result: Result<JSONValue, QMPError.Refusal>) -> Effect {
        if let place = inBand.firstIndex(of: id) { inBand.remove(at: place) }
        return awaited.remove(id) == nil ? .dropped : .answered(id, result)
    }
}
