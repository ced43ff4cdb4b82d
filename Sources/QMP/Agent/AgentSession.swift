internal import JSON

/// The protocol state of one connection to a guest agent.
///
/// One method per event; no I/O, no clock, no lock. The agent has no greeting, no events and no reliable ids, so
/// commands are sent one at a time. `guest-sync-delimited` finds out whether the agent listens, and discards stale
/// data: everything before the byte 0xFF in front of its reply is stale (QEMU's docs/interop/qemu-ga-ref).
struct AgentSession: ~Copyable {
    /// The consequence of received bytes.
    enum Effect {
        /// The agent listens, and stale data has been discarded.
        case synchronised

        /// The reply to the current command.
        case answered(Result<JSONValue, QMPError.Refusal>)

        /// The received data cannot be the reply to the current command; the session must be synchronised again.
        case confused(QMPError)
    }

    /// A byte that never occurs in UTF-8 text.
    static let delimiter: UInt8 = 0xFF

    private enum Phase {
        case lost
        case awaitingDelimiter(Int64)
        case awaitingSync(Int64)
        case ready
        case awaitingReply
    }

    private let limits: JSONLimits
    private var phase = Phase.lost
    private var parser: JSONStreamParser

    init(limits: JSONLimits) {
        self.limits = limits
        parser = JSONStreamParser(limits: limits)
    }

    /// Whether a command may be sent without synchronising first.
    var isSynchronised: Bool {
        if case .ready = phase { true } else { false }
    }

    /// Records that `guest-sync-delimited` is being sent.
    mutating func synchronise(as id: Int64) {
        phase = .awaitingDelimiter(id)
    }

    /// Records that a command is being sent.
    mutating func commandSent() {
        phase = .awaitingReply
    }

    /// Records that no caller waits for the current reply, which could be taken for the next command's.
    mutating func lose() {
        phase = .lost
    }

    /// Processes the next bytes.
    mutating func received(_ bytes: [UInt8]) -> [Effect] {
        var effects: [Effect] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let text = rest.prefix { $0 != Self.delimiter }
            take(Array(text), &effects)
            rest = rest.dropFirst(text.count)
            guard !rest.isEmpty else { break }
            delimited(&effects)
            rest = rest.dropFirst()
        }
        return effects
    }

    private mutating func delimited(_ effects: inout [Effect]) {
        parser = JSONStreamParser(limits: limits)
        switch phase {
        case .awaitingDelimiter(let id), .awaitingSync(let id): phase = .awaitingSync(id)
        case .awaitingReply: confuse("a delimiter instead of a reply", &effects)
        case .ready, .lost: phase = .lost
        }
    }

    private mutating func take(_ text: [UInt8], _ effects: inout [Effect]) {
        switch phase {
        case .lost, .awaitingDelimiter: return
        case .awaitingSync, .ready, .awaitingReply: break
        }
        var values: [JSONValue] = []
        var failure: JSONError?
        do throws(JSONError) {
            try parser.feed(text) { values.append($0) }
        } catch {
            failure = error
        }
        for value in values { take(value, &effects) }
        if let failure { confuse("unreadable data: \(failure)", &effects) }
    }

    private mutating func take(_ value: JSONValue, _ effects: inout [Effect]) {
        switch phase {
        case .awaitingSync(let id):
            // The reply to an earlier attempt is as stale as all other data.
            guard value["return"]?.integer == id, value["error"] == nil else { return phase = .awaitingDelimiter(id) }
            phase = .ready
            effects.append(.synchronised)
        case .awaitingReply:
            if value["return"] != nil, value["error"] != nil {
                phase = .lost
                effects.append(.confused(QMPMessage.contradiction(value)))
            } else if let reply = value["return"] {
                phase = .ready
                effects.append(.answered(.success(reply)))
            } else if let errorClass = value["error"]?["class"]?.string, let text = value["error"]?["desc"]?.string {
                phase = .ready
                effects.append(.answered(.failure(QMPError.Refusal(errorClass: errorClass, text: text))))
            } else {
                confuse("a message that is not a reply: \(String(value.encoded().prefix(120)))", &effects)
            }
        // Stale, regardless of how much arrived.
        case .awaitingDelimiter: break
        case .ready, .lost: phase = .lost
        }
    }

    private mutating func confuse(_ what: String, _ effects: inout [Effect]) {
        if case .awaitingReply = phase {
            effects.append(.confused(QMPError(.protocolViolation, "the guest agent sent \(what)")))
            return phase = .lost
        }
        switch phase {
        case .awaitingDelimiter(let id), .awaitingSync(let id): phase = .awaitingDelimiter(id)
        case .ready, .awaitingReply, .lost: phase = .lost
        }
    }
}
