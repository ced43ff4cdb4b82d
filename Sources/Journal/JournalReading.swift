/// What a journal holds.
public struct JournalReading: Sendable, Hashable {
    /// The handoff.
    public let id: String

    /// The records up to the damage, the first one first.
    public let records: [JournalRecord]

    /// What is wrong with the journal; nil when it is whole.
    public let damage: JournalDamage?

    /// How many bytes the records take.
    let validBytes: Int
    /// The checksum that the next record goes on from.
    let checksum: UInt32

    /// The state last recorded; nil when there is no record.
    public var state: String? { records.last?.state }

    /// Reads the bytes of the journal of handoff `id`.
    ///
    /// - Parameters:
    ///   - bytes: what could be read.
    ///   - id: the handoff.
    ///   - known: why nothing could be.
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

    /// Tells a write that was cut short from a line break that was changed into something else.
    private static func damage(ofTail tail: ArraySlice<UInt8>, sequence: Int, seed: UInt32) -> JournalDamage {
        if let version = JournalLine.otherVersion(tail) { return .newerVersion(version) }
        if (try? JournalLine(parsing: tail.dropLast(), sequence: sequence, seed: seed)) != nil {
            return .damaged(line: sequence + 1, reason: "its line break was changed")
        }
        if JournalLine.isBeginning(tail, sequence: sequence) { return .tornTail(bytes: tail.count) }
        return .damaged(line: sequence + 1, reason: "it is no record, and no beginning of one")
    }
}
