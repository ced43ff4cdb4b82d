internal import Glibc
public import JSON
public import Linux

/// One record in a file of its own: a line of the journal's format, with its version and checksum, replaced as a whole.
///
/// A record is a cache of what runs. It is there, absent or damaged; no caller may take a damaged record for an absent one.
public struct RecordFile: Sendable, Hashable {
    /// The file.
    public let path: String
    /// What the record is about, such as `placement alpha`.
    ///
    /// The checksum begins with it: a record that was copied from another place does not fit.
    public let subject: String

    /// Names a record; nothing is read yet.
    ///
    /// - Parameters:
    ///   - path: The file, absolute.
    ///   - subject: What the record is about.
    public init(_ path: String, subject: String) {
        self.path = path
        self.subject = subject
    }

    /// Far more than a record holds: a stack file may have 1 MiB.
    private static let maximumBytes = 16 << 20

    /// Reads the record.
    ///
    /// - Returns: Its members, or that there is no such file (ENOENT and nothing else), or what is wrong with it: it cannot be
    ///   opened, is no regular file of this user, is cut short, or was changed.
    public func read() -> RecordReading<[String: JSONValue]> {
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try AppendFile.open(path, forReading: true).readAll(limit: Self.maximumBytes)
        } catch {
            return error.code == ENOENT ? .absent : .damaged(RecordDamage(path: path, reason: "\(error)"))
        }
        let reading = JournalReading(parsing: bytes, id: subject)
        if let damage = reading.damage { return .damaged(RecordDamage(path: path, reason: "\(damage)")) }
        guard let record = reading.records.last else {
            return .damaged(RecordDamage(path: path, reason: "it is empty"))
        }
        guard reading.records.count == 1, record.state == Self.state else {
            return .damaged(RecordDamage(path: path, reason: "it is a journal, not a record"))
        }
        return .present(record.facts)
    }

    /// Replaces the record in one step: whoever reads meanwhile finds the old one or the new one.
    ///
    /// - Parameter members: What to remember.
    /// - Throws: `SystemError`; the record is then as it was before.
    public func write(_ members: [String: JSONValue]) throws(SystemError) {
        let record = JournalRecord(sequence: 0, state: Self.state, time: WallClock.microseconds(), facts: members)
        let bytes = JournalLine.encode(record, seed: JournalLine.seed(id: subject)).bytes
        do throws(SystemError) { try Files.replaceAtomically(path, bytes: bytes) } catch {
            // An empty folder in its place holds nothing; one that holds something stays.
            guard error.code == EISDIR, rmdir(path) == 0 else { throw error }
            try Files.replaceAtomically(path, bytes: bytes)
        }
    }

    /// In the place of a handoff's state.
    private static let state = "record"
}

/// What reading a record comes to.
public enum RecordReading<Value: Sendable>: Sendable {
    /// It is there, and as it was written.
    case present(Value)
    /// There is no such file.
    case absent
    /// It is there, and cannot be relied on.
    case damaged(RecordDamage)

    /// The record's value; nil when it is absent or damaged.
    ///
    /// For showing only: whoever acts on a record tells the two apart.
    public var shown: Value? {
        if case .present(let value) = self { value } else { nil }
    }

    /// What is wrong with it; nil when it is there or absent.
    public var damage: RecordDamage? {
        if case .damaged(let damage) = self { damage } else { nil }
    }

    /// Reads a value out of the record.
    ///
    /// - Parameters:
    ///   - path: The record's file, for messages.
    ///   - read: Makes the value; nil when the record does not hold one: it is damaged then.
    /// - Returns: The reading of the value.
    public func reading<Other>(at path: String, _ read: (Value) -> Other?) -> RecordReading<Other> {
        switch self {
        case .absent: .absent
        case .damaged(let damage): .damaged(damage)
        case .present(let value):
            read(value).map { .present($0) }
                ?? .damaged(RecordDamage(path: path, reason: "it is whole, but does not say what it has to"))
        }
    }
}

/// What is wrong with a record, and where.
public struct RecordDamage: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file.
    public let path: String
    /// What is wrong.
    public let reason: String

    /// Describes damage.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - reason: What is wrong.
    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    /// One line.
    public var description: String { reason.contains(path) ? reason : "\(path): \(reason)" }
}
