internal import JSON

/// One message from a monitor.
enum QMPMessage {
    case greeting(QMPGreeting)
    case success(id: JSONValue?, JSONValue)
    case failure(id: JSONValue?, QMPError.Refusal)
    /// A reply with both `return` and `error`: it answers the command, but the result is unknown.
    case contradiction(id: JSONValue, QMPError)
    case event(QMPEvent)

    /// Determines which message a received value is.
    ///
    /// - Parameter value: The value.
    /// - Throws: `protocolViolation` if it is none of the four messages of the QMP specification (QEMU's docs/interop).
    init(_ value: JSONValue) throws(QMPError) {
        guard Self.kinds.lazy.filter({ value[$0] != nil }).count <= 1 else {
            guard let id = value["id"], value["return"] != nil, value["error"] != nil else {
                throw Self.violation("two messages in one", value)
            }
            self = .contradiction(id: id, Self.contradiction(value))
            return
        }
        if let reply = value["return"] {
            self = .success(id: value["id"], reply)
        } else if let error = value["error"] {
            guard let errorClass = error["class"]?.string, let text = error["desc"]?.string else {
                throw Self.violation("an error without class and text", value)
            }
            self = .failure(id: value["id"], QMPError.Refusal(errorClass: errorClass, text: text))
        } else if let event = value["event"] {
            self = .event(try Self.event(event, value))
        } else if let greeting = value["QMP"] {
            do throws(QMPError) {
                self = .greeting(try QMPGreeting(from: QMPReply(greeting, to: "the connection")))
            } catch {
                throw Self.violation("an invalid greeting", value)
            }
        } else {
            throw Self.violation("a message that is not QMP", value)
        }
    }

    /// The keys that distinguish the kinds of messages.
    private static let kinds = ["return", "error", "event", "QMP"]

    /// Returns the error for a reply with both `return` and `error`.
    static func contradiction(_ value: JSONValue) -> QMPError {
        QMPError(
            .unusableReply,
            "the reply has both 'return' and 'error', so the result of the command is unknown: "
                + String(value.encoded().prefix(120))
        )
    }

    private static func event(_ event: JSONValue, _ value: JSONValue) throws(QMPError) -> QMPEvent {
        guard let name = event.string,
            let seconds = value["timestamp"]?["seconds"]?.integer,
            let microseconds = value["timestamp"]?["microseconds"]?.integer
        else { throw violation("an event without name or time", value) }
        return QMPEvent(
            name: name,
            data: value["data"]?.object ?? [:],
            timestamp: QMPTimestamp(seconds: seconds, microseconds: microseconds)
        )
    }

    private static func violation(_ what: String, _ value: JSONValue) -> QMPError {
        QMPError(.protocolViolation, "the peer sent \(what): \(String(value.encoded().prefix(120)))")
    }
}
