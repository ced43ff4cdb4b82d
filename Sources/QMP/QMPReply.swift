public import JSON
internal import Synchronization

/// A reply, or a part of one, with its path for messages.
///
/// Reading a missing part throws `unusableReply` with the command and the missing part.
public struct QMPReply: Sendable {
    /// The name of the command.
    public let command: String

    /// The value from QEMU.
    public let value: JSONValue

    private let path: [String]
    private let record: MemberRecord?

    /// Creates a reply, as if QEMU had sent it.
    ///
    /// - Parameters:
    ///   - value: The value of `return`.
    ///   - command: The name of the command.
    public init(_ value: JSONValue, to command: String) {
        self.init(value, to: command, path: [], record: nil)
    }

    init(_ value: JSONValue, to command: String, path: [String], record: MemberRecord?) {
        self.value = value
        self.command = command
        self.path = path
        self.record = record
    }

    /// Returns a required member.
    ///
    /// - Parameter key: Its name.
    /// - Returns: The member.
    /// - Throws: `unusableReply` if it is missing.
    public func member(_ key: String) throws(QMPError) -> QMPReply {
        guard let member = optional(key) else { throw missing(key, "is missing") }
        return member
    }

    /// Returns an optional member.
    ///
    /// - Parameter key: Its name.
    /// - Returns: The member; nil if there is none.
    public func optional(_ key: String) -> QMPReply? {
        record?.note(path + [key])
        return value[key].map { QMPReply($0, to: command, path: path + [key], record: record) }
    }

    /// Returns the elements of an array.
    ///
    /// - Returns: The elements.
    /// - Throws: `unusableReply` if it is not an array.
    public func elements() throws(QMPError) -> [QMPReply] {
        guard let elements = value.array else { throw wrong("an array") }
        return elements.map { QMPReply($0, to: command, path: path, record: record) }
    }

    /// Returns a string.
    ///
    /// - Returns: Its text.
    /// - Throws: `unusableReply` if it is not a string.
    public func string() throws(QMPError) -> String {
        guard let text = value.string else { throw wrong("a string") }
        return text
    }

    /// Returns an integer.
    ///
    /// - Returns: Its value.
    /// - Throws: `unusableReply` if it is not an integer or does not fit.
    public func int() throws(QMPError) -> Int {
        guard let number = value.int else { throw wrong("an integer") }
        return number
    }

    /// Returns a non-negative integer, such as a size in bytes or an address.
    ///
    /// In some replies QEMU sends the upper half of a 64-bit range as negative numbers; these are converted.
    ///
    /// - Returns: Its value.
    /// - Throws: `unusableReply` if it is not an integer.
    public func unsigned() throws(QMPError) -> UInt64 {
        if let number = value.unsigned { return number }
        guard let number = value.integer else { throw wrong("an integer") }
        return UInt64(bitPattern: number)
    }

    /// Returns a boolean.
    ///
    /// - Returns: Its value.
    /// - Throws: `unusableReply` if it is not a boolean.
    public func bool() throws(QMPError) -> Bool {
        guard let truth = value.bool else { throw wrong("a boolean") }
        return truth
    }

    /// Returns an array of strings.
    ///
    /// - Returns: The strings.
    /// - Throws: `unusableReply` if it is anything else.
    public func strings() throws(QMPError) -> [String] {
        var strings: [String] = []
        for element in try elements() { strings.append(try element.string()) }
        return strings
    }

    /// Returns a value of an enumeration.
    ///
    /// - Parameter type: The enumeration; its raw values are QEMU's names.
    /// - Returns: The case.
    /// - Throws: `unusableReply` if QEMU's name is not among the cases.
    public func enumeration<E: RawRepresentable<String>>(_ type: E.Type = E.self) throws(QMPError) -> E {
        let name = try string()
        guard let value = E(rawValue: name) else { throw wrong("a known \(E.self)") }
        return value
    }

    /// Returns the string in a required member.
    ///
    /// - Parameter key: Its name.
    /// - Returns: Its text.
    /// - Throws: `unusableReply` if it is missing or not a string.
    public func string(_ key: String) throws(QMPError) -> String { try member(key).string() }

    /// Returns the integer in a required member.
    ///
    /// - Parameter key: Its name.
    /// - Returns: Its value.
    /// - Throws: `unusableReply` if it is missing, not an integer, or does not fit.
    public func int(_ key: String) throws(QMPError) -> Int { try member(key).int() }

    /// Returns the non-negative integer in a required member.
    ///
    /// - Parameter key: Its name.
    /// - Returns: Its value.
    /// - Throws: `unusableReply` if it is missing or not an integer.
    public func unsigned(_ key: String) throws(QMPError) -> UInt64 { try member(key).unsigned() }

    /// Returns the boolean in a required member.
    ///
    /// - Parameter key: Its name.
    /// - Returns: Its value.
    /// - Throws: `unusableReply` if it is missing or not a boolean.
    public func bool(_ key: String) throws(QMPError) -> Bool { try member(key).bool() }

    /// Decodes each element of an array with a closure.
    ///
    /// - Parameter read: Decodes one element.
    /// - Returns: The results.
    /// - Throws: `unusableReply` if it is not an array, and the errors of the closure.
    public func map<T>(_ read: (QMPReply) throws(QMPError) -> T) throws(QMPError) -> [T] {
        var values: [T] = []
        for element in try elements() { values.append(try read(element)) }
        return values
    }

    private func wrong(_ wanted: String) -> QMPError {
        missing(nil, "is not \(wanted) but \(String(value.encoded().prefix(80)))")
    }

    private func missing(_ key: String?, _ what: String) -> QMPError {
        let place = (path + (key.map { [$0] } ?? [])).joined(separator: ".")
        let part = place.isEmpty ? "the reply" : "'\(place)' in the reply"
        return QMPError(.unusableReply, "\(part) to '\(command)' \(what); this QEMU does not follow the known schema")
    }
}

/// Records which members a reader requested, for the check against QEMU's schema.
final class MemberRecord: Sendable {
    private let paths = Mutex<Set<[String]>>([])

    func note(_ path: [String]) {
        paths.withLock { _ = $0.insert(path) }
    }

    var all: Set<[String]> { paths.withLock { $0 } }
}

/// A command that has been written, and whose reply can be awaited.
public struct QMPPendingReply: Sendable {
    let id: UInt64
    let slot: ReplySlot
    let connection: QMPConnection

    /// Waits for the reply.
    ///
    /// - Returns: The value of `return`.
    /// - Throws: `refused`, `timeout` (the deadline counts from the writing), `disconnected`; `cancelled` if the task
    ///   is cancelled, for every waiter of this reply: QEMU may still execute the command.
    public func value() async throws(QMPError) -> JSONValue {
        let outcome = await withTaskCancellationHandler {
            await slot.outcome()
        } onCancel: {
            connection.cancel(id)
        }
        return try outcome.get()
    }
}

/// Holds the one reply to a command for the callers that wait for it.
final class ReplySlot: Sendable {
    typealias Outcome = Result<JSONValue, QMPError>

    private enum State {
        case empty([CheckedContinuation<Outcome, Never>])
        case full(Outcome)
    }

    private let state = Mutex(State.empty([]))

    /// Stores the outcome; only the first one counts.
    func fill(_ outcome: Outcome) {
        let waiting = state.withLock { state -> [CheckedContinuation<Outcome, Never>] in
            guard case .empty(let waiting) = state else { return [] }
            state = .full(outcome)
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: outcome) }
    }

    /// Waits for the outcome; only `fill` ends the wait.
    func outcome() async -> Outcome {
        await withCheckedContinuation { continuation in
            let outcome = state.withLock { state -> Outcome? in
                switch state {
                case .full(let outcome): return outcome
                case .empty(let waiting):
                    state = .empty(waiting + [continuation])
                    return nil
                }
            }
            if let outcome { continuation.resume(returning: outcome) }
        }
    }
}
