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

/// The first message of a monitor.
public struct QMPGreeting: Sendable, Hashable {
    /// The version of the monitor's QEMU.
    public let version: QEMUVersion

    /// The capabilities that the monitor offers; `oob` is out-of-band execution.
    public let capabilities: Set<String>

    /// Creates a greeting, as if a monitor had sent it.
    ///
    /// - Parameters:
    ///   - version: The version of the monitor's QEMU.
    ///   - capabilities: The capabilities that the monitor offers.
    public init(version: QEMUVersion, capabilities: Set<String> = []) {
        self.version = version
        self.capabilities = capabilities
    }

    init(from reply: QMPReply) throws(QMPError) {
        version = try QEMUVersion(from: reply.member("version"))
        capabilities = Set(try reply.optional("capabilities")?.strings() ?? [])
    }
}

/// The version of a QEMU, as it reports it.
public struct QEMUVersion: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// 7 in 7.2.22.
    public let major: Int

    /// 2 in 7.2.22.
    public let minor: Int

    /// 22 in 7.2.22.
    public let micro: Int

    /// The package's version, such as `Debian 1:7.2+dfsg-7+deb12u18`; often empty.
    public let package: String

    /// Creates a version from its numbers.
    ///
    /// - Parameters:
    ///   - major: The major number.
    ///   - minor: The minor number.
    ///   - micro: The micro number.
    ///   - package: The package's version.
    public init(major: Int, minor: Int, micro: Int, package: String = "") {
        self.major = major
        self.minor = minor
        self.micro = micro
        self.package = package
    }

    /// Orders by number; ignores the package.
    public static func < (left: QEMUVersion, right: QEMUVersion) -> Bool {
        (left.major, left.minor, left.micro) < (right.major, right.minor, right.micro)
    }

    /// The numbers only: `7.2.22`.
    public var description: String { "\(major).\(minor).\(micro)" }

    init(from reply: QMPReply) throws(QMPError) {
        let numbers = try reply.member("qemu")
        self.init(
            major: try numbers.int("major"),
            minor: try numbers.int("minor"),
            micro: try numbers.int("micro"),
            package: try reply.string("package")
        )
    }
}
