public import JSON
internal import Synchronization

/// A reply, or a part of one, with the way to it for messages.
///
/// Reading what is not there throws `unusableReply` that names the command and the missing part.
public struct QMPReply: Sendable {
    /// The command that is answered.
    public let command: String

    /// What QEMU sent.
    public let value: JSONValue

    private let path: [String]
    private let record: MemberRecord?

    /// Makes a reply.
    ///
    /// - Parameters:
    ///   - value: What QEMU sent as `return`.
    ///   - command: The command that is answered.
    public init(_ value: JSONValue, to command: String) {
        self.init(value, to: command, path: [], record: nil)
    }

    init(_ value: JSONValue, to command: String, path: [String], record: MemberRecord?) {
        self.value = value
        self.command = command
        self.path = path
        self.record = record
    }

    /// A member that has to be there.
    ///
    /// - Parameter key: Its name.
    /// - Returns: The member.
    /// - Throws: `unusableReply` when it is not there.
    public func member(_ key: String) throws(QMPError) -> QMPReply {
        guard let member = optional(key) else { throw missing(key, "is missing") }
        return member
    }

    /// A member that may be there.
    ///
    /// - Parameter key: Its name.
    /// - Returns: The member; nil when there is none.
    public func optional(_ key: String) -> QMPReply? {
        record?.note(path + [key])
        return value[key].map { QMPReply($0, to: command, path: path + [key], record: record) }
    }

    /// The elements of an array.
    ///
    /// - Returns: The elements.
    /// - Throws: `unusableReply` when it is no array.
    public func elements() throws(QMPError) -> [QMPReply] {
        guard let elements = value.array else { throw wrong("an array") }
        return elements.map { QMPReply($0, to: command, path: path, record: record) }
    }

    /// A string.
    ///
    /// - Returns: Its text.
    /// - Throws: `unusableReply` when it is no string.
    public func string() throws(QMPError) -> String {
        guard let text = value.string else { throw wrong("a string") }
        return text
    }

    /// An integer.
    ///
    /// - Returns: Its value.
    /// - Throws: `unusableReply` when it is no integer or does not fit.
    public func int() throws(QMPError) -> Int {
        guard let number = value.int else { throw wrong("an integer") }
        return number
    }

    /// An integer that is not negative, such as a size in bytes or an address.
    ///
    /// QEMU sends the upper half of a 64-bit range as negative numbers in some replies: they are read as what they mean.
    ///
    /// - Returns: Its value.
    /// - Throws: `unusableReply` when it is no integer.
    public func unsigned() throws(QMPError) -> UInt64 {
        if let number = value.unsigned { return number }
        guard let number = value.integer else { throw wrong("an integer") }
        return UInt64(bitPattern: number)
    }

    /// A boolean.
    ///
    /// - Returns: Its truth.
    /// - Throws: `unusableReply` when it is no boolean.
    public func bool() throws(QMPError) -> Bool {
        guard let truth = value.bool else { throw wrong("a boolean") }
        return truth
    }

    /// An array of strings.
    ///
    /// - Returns: The strings.
    /// - Throws: `unusableReply` when it is anything else.
    public func strings() throws(QMPError) -> [String] {
        var strings: [String] = []
        for element in try elements() { strings.append(try element.string()) }
        return strings
    }

    /// A value of an enumeration.
    ///
    /// - Parameter type: The enumeration; its raw values are QEMU's names.
    /// - Returns: The case.
    /// - Throws: `unusableReply` when QEMU's name is not among the cases.
    public func enumeration<E: RawRepresentable<String>>(_ type: E.Type = E.self) throws(QMPError) -> E {
        let name = try string()
        guard let value = E(rawValue: name) else { throw wrong("a known \(E.self)") }
        return value
    }

    /// The string in a member that has to be there.
    ///
    /// - Parameter key: Its name.
    /// - Returns: Its text.
    /// - Throws: `unusableReply` when it is not there or no string.
    public func string(_ key: String) throws(QMPError) -> String { try member(key).string() }

    /// The integer in a member that has to be there.
    ///
    /// - Parameter key: Its name.
    /// - Returns: Its value.
    /// - Throws: `unusableReply` when it is not there, no integer, or does not fit.
    public func int(_ key: String) throws(QMPError) -> Int { try member(key).int() }

    /// The integer, not negative, in a member that has to be there.
    ///
    /// - Parameter key: Its name.
    /// - Returns: Its value.
    /// - Throws: `unusableReply` when it is not there or no integer.
    public func unsigned(_ key: String) throws(QMPError) -> UInt64 { try member(key).unsigned() }

    /// The boolean in a member that has to be there.
    ///
    /// - Parameter key: Its name.
    /// - Returns: Its truth.
    /// - Throws: `unusableReply` when it is not there or no boolean.
    public func bool(_ key: String) throws(QMPError) -> Bool { try member(key).bool() }

    /// Each element of an array, read by a closure.
    ///
    /// - Parameter read: Reads one element.
    /// - Returns: What was read.
    /// - Throws: `unusableReply` when it is no array, and what the closure throws.
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
        return QMPError(.unusableReply, "\(part) to '\(command)' \(what); this QEMU does not keep to the known schema")
    }
}

/// Which members a reader asked for: what the check against QEMU's schema goes by.
final class MemberRecord: Sendable {
    private let paths = Mutex<Set<[String]>>([])

    func note(_ path: [String]) {
        paths.withLock { _ = $0.insert(path) }
    }

    var all: Set<[String]> { paths.withLock { $0 } }
}
