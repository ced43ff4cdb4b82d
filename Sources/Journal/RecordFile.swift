internal import Glibc
package import JSON
package import Linux

/// A file with one record: a line of the journal's format, with its version and checksum, replaced as a whole.
///
/// A record is a cache of the running state. It is present, absent or damaged; no caller may treat a damaged record as
/// absent.
package struct RecordFile: Sendable, Hashable {
    /// The file.
    package let path: String
    /// The subject of the record, such as `placement alpha`.
    ///
    /// The checksum begins with it: a record copied from another file does not match.
    package let subject: String

    /// Refers to a record; does not read it.
    ///
    /// - Parameters:
    ///   - path: The absolute path of the file.
    ///   - subject: The subject of the record.
    package init(_ path: String, subject: String) {
        self.path = path
        self.subject = subject
    }

    /// Far more than a record holds: a stack file may have 1 MiB.
    private static let maximumBytes = 16 << 20

    /// Reads the record.
    ///
    /// - Returns: Its members; that there is no such file (ENOENT and nothing else); or the damage: it cannot be
    ///   opened, is no regular file of this user, is cut short, or was changed.
    package func read() -> RecordReading<[String: JSONValue]> {
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

    /// Replaces the record in one step: a concurrent reader finds the old one or the new one.
    ///
    /// - Parameter members: The members to store.
    /// - Throws: `SystemError`; the record is then unchanged.
    package func write(_ members: [String: JSONValue]) throws(SystemError) {
        let record = JournalRecord(sequence: 0, state: Self.state, time: WallClock.microseconds(), facts: members)
        let bytes = JournalLine.encode(record, seed: JournalLine.seed(id: subject)).bytes
        do throws(SystemError) { try Files.replaceAtomically(path, bytes: bytes) } catch {
            // Replace an empty folder at this path; never one that holds something.
            guard error.code == EISDIR, rmdir(path) == 0 else { throw error }
            try Files.replaceAtomically(path, bytes: bytes)
        }
    }

    /// Written where a journal has a handoff's state.
    private static let state = "record"
}

/// The result of reading a record.
package enum RecordReading<Value: Sendable>: Sendable {
    /// The record exists and is intact.
    case present(Value)
    /// There is no such file.
    case absent
    /// The record exists, but cannot be relied on.
    case damaged(RecordDamage)

    /// The record's value; nil when it is absent or damaged.
    ///
    /// For display only: code that acts on a record must distinguish the two.
    package var shown: Value? {
        if case .present(let value) = self { value } else { nil }
    }

    /// The damage; nil if the record is present or absent.
    package var damage: RecordDamage? {
        if case .damaged(let damage) = self { damage } else { nil }
    }

    /// Converts the record to another value.
    ///
    /// - Parameters:
    ///   - path: The record's file, for messages.
    ///   - read: Makes the value; returns nil if the record does not contain one, which counts as damage.
    /// - Returns: The converted reading.
    package func reading<Other>(at path: String, _ read: (Value) -> Other?) -> RecordReading<Other> {
        switch self {
        case .absent: .absent
        case .damaged(let damage): .damaged(damage)
        case .present(let value):
            read(value).map { .present($0) }
                ?? .damaged(RecordDamage(path: path, reason: "it is intact, but required members are missing"))
        }
    }
}

/// The damage of a record, and its file.
package struct RecordDamage: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file.
    package let path: String
    /// The reason why the record cannot be relied on.
    package let reason: String

    /// Describes the damage of one file.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - reason: The reason why the record cannot be relied on.
    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    /// The file and the reason in one line.
    package var description: String { reason.contains(path) ? reason : "\(path): \(reason)" }
}
