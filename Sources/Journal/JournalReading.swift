/// The contents of a journal.
package struct JournalReading: Sendable, Hashable {
    /// The handoff's id.
    package let id: String

    /// The records up to the damage, in order.
    package let records: [JournalRecord]

    /// The damage; nil if the journal is intact.
    package let damage: JournalDamage?

    /// The length of the records, in bytes.
    let validBytes: Int
    /// The checksum that the next record's checksum continues.
    let checksum: UInt32

    /// The last recorded state; nil without a record.
    package var state: String? { records.last?.state }

    /// Parses the bytes of the journal of handoff `id`.
    ///
    /// - Parameters:
    ///   - bytes: the bytes that could be read.
    ///   - id: the handoff's id.
    ///   - known: the reason why nothing could be read.
    init(parsing bytes: [UInt8], id: String, damage known: JournalDamage? = nil) {
        self.id = id
        var records: [JournalRecord] = []
        var checksum = JournalLine.seed(id: id)
        var start = 0
        var damage = known
        while start < bytes.count, damage == nil {
            guard let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) else {
                damage = Self.damage(ofTail: bytes[start...], sequence: records.count, seed: checksum)
                break
            }
            do throws(JournalDamage) {
                let line = try JournalLine(parsing: bytes[start..<end], sequence: records.count, seed: checksum)
                records.append(line.record)
                checksum = line.checksum
                start = end + 1
            } catch {
                damage = error
            }
        }
        self.records = records
        self.damage = damage
        self.checksum = checksum
        validBytes = start
    }

    /// Distinguishes a write that was cut short from a changed line break.
    private static func damage(ofTail tail: ArraySlice<UInt8>, sequence: Int, seed: UInt32) -> JournalDamage {
        if let version = JournalLine.otherVersion(tail) { return .newerVersion(version) }
        if (try? JournalLine(parsing: tail.dropLast(), sequence: sequence, seed: seed)) != nil {
            return .damaged(line: sequence + 1, reason: "its line break was changed")
        }
        if JournalLine.isBeginning(tail, sequence: sequence) { return .tornTail(bytes: tail.count) }
        return .damaged(line: sequence + 1, reason: "it is neither a record nor the beginning of one")
    }
}
