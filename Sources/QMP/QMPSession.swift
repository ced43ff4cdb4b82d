internal import JSON

/// What has been said on one connection to a monitor, and what it means.
///
/// One method an event; no I/O, no clock, no lock. After the first failure every method throws it again.
///
/// Replies are told apart by id. An error without one is QEMU's answer to something it could not read: in-band commands
/// are answered in order, so it belongs to the oldest of them that has no answer yet.
struct QMPSession {
    /// What a message calls for.
    enum Effect {
        /// The peer is a monitor.
        case greeted(QMPGreeting)

        /// Somebody waits for this reply.
        case answered(UInt64, Result<JSONValue, QMPError.Refusal>)

        /// Somebody waits for this reply, which does not say how the command went.
        case unusable(UInt64, QMPError)

        /// To be given to whoever listens.
        case emitted(QMPEvent)

        /// Nobody waits for this reply any more.
        case dropped
    }

    /// As many commands without an answer are remembered, the abandoned ones included.
    static let maximumUnanswered = 4096

    /// The id under which the greeting is awaited; commands count from 1.
    static let greetingID: UInt64 = 0

    /// What ended the session.
    private(set) var failure: QMPError?

    private(set) var isGreeted = false
    private var nextID: UInt64 = 1

    /// Commands that somebody waits for.
    private var awaited: Set<UInt64> = []

    /// In-band commands without an answer, oldest first, the abandoned ones included.
    private var inBand: [UInt64] = []

    /// Takes the next message.
    mutating func received(_ value: JSONValue) throws(QMPError) -> Effect {
        if let failure { throw failure }
        do throws(QMPError) {
            let message = try QMPMessage(value)
            if case .greeting(let greeting) = message, !isGreeted {
                isGreeted = true
                return .greeted(greeting)
            }
            if isGreeted { return try effect(of: message) }
            // QEMU has a new client a moment before it greets it, and what happens in that moment is sent first.
            if case .event = message { return .dropped }
            throw QMPError(.notQMP, "the peer sent something before its greeting")
        } catch {
            let error = isGreeted ? error : notQMP(error.message)
            end(error)
            throw error
        }
    }

    /// Notes that a command goes out; its id is returned.
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

    /// Notes that nobody waits for a reply any more; it is dropped when it comes.
    mutating func abandon(_ id: UInt64) {
        awaited.remove(id)
    }

    /// Notes that a command never left.
    mutating func withdraw(_ id: UInt64) {
        awaited.remove(id)
        inBand.removeAll { $0 == id }
    }

    /// Ends the session; the first reason stays.
    mutating func end(_ reason: QMPError) {
        if failure == nil { failure = reason }
        awaited = []
        inBand = []
    }

    /// The reason to give when what came is no QMP.
    func notQMP(_ what: String) -> QMPError {
        QMPError(.notQMP, "what answers here is not a QMP monitor: \(what); give the path of a -qmp socket")
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
