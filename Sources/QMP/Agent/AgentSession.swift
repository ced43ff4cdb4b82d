internal import JSON

/// What has been said on one connection to a guest agent, and what it means.
///
/// One method an event; no I/O, no clock, no lock. The agent has no greeting, no events and no ids that could be relied
/// on: commands go one at a time. Whether it is listening, and what is left over from an earlier talk, is found out by
/// `guest-sync-delimited`: whatever comes before the byte 0xFF in front of its reply is old (QEMU's docs/interop/qemu-ga-ref).
struct AgentSession: ~Copyable {
    /// What bytes call for.
    enum Effect {
        /// The agent listens, and everything old is gone.
        case synchronised

        /// The reply to the command under way.
        case answered(Result<JSONValue, QMPError.Refusal>)

        /// What came cannot be the reply to the command under way; the two have to find together again.
        case confused(QMPError)
    }

    /// The byte that stands in no UTF-8 text.
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

    /// Whether a command may be sent without finding together first.
    var isSynchronised: Bool {
        if case .ready = phase { true } else { false }
    }

    /// Notes that `guest-sync-delimited` goes out.
    mutating func synchronise(as id: Int64) {
        phase = .awaitingDelimiter(id)
    }

    /// Notes that a command goes out.
    mutating func commandSent() {
        phase = .awaitingReply
    }

    /// Notes that nobody waits for the reply under way any more: it would be taken for the next one's.
    mutating func lose() {
        phase = .lost
    }

    /// Takes the next bytes.
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
        if let failure { confuse("something that cannot be read: \(failure)", &effects) }
    }

    private mutating func take(_ value: JSONValue, _ effects: inout [Effect]) {
        switch phase {
        case .awaitingSync(let id):
            // The reply to an earlier attempt is as old as all the rest.
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
                confuse("something that is no reply: \(String(value.encoded().prefix(120)))", &effects)
            }
        // Old, however much of it came along.
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
