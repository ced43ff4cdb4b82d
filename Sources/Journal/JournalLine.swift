internal import JSON
internal import Linux

/// One record as a line of text: `hf1 <sequence> <checksum> <json>`.
///
/// The checksum is a CRC-32C of the sequence and the JSON text that goes on from the line before, and in the first line from
/// the checksum of the handoff's id. So a line is valid in its own place of its own journal only.
struct JournalLine {
    /// The version of the format that this product writes, and the only one that it reads.
    static let version = 1

    let record: JournalRecord
    let checksum: UInt32

    /// What the first line's checksum goes on from.
    static func seed(id: String) -> UInt32 {
        var crc = CRC32C()
        crc.update(id.utf8)
        return crc.value
    }

    /// The line with its line break, and its checksum.
    static func encode(_ record: JournalRecord, seed: UInt32) -> (bytes: [UInt8], checksum: UInt32) {
        let value: JSONValue = [
            "state": .string(record.state), "time": .string(WallClock.rfc3339(record.time)),
            "facts": .object(record.facts),
        ]
        let text = value.encodedBytes(terminator: [UInt8(ascii: "\n")])
        let checksum = checksum(sequence: record.sequence, json: text.dropLast(), seed: seed)
        let head = "hf\(version) \(record.sequence) \(checksum.hexadecimal(digits: 8)) "
        return (Array(head.utf8) + text, checksum)
    }

    private static func checksum(sequence: Int, json: ArraySlice<UInt8>, seed: UInt32) -> UInt32 {
        var crc = CRC32C(continuing: seed)
        crc.update("hf\(version) \(sequence) ".utf8)
        crc.update(json)
        return crc.value
    }

    /// Reads a line without its line break.
    ///
    /// - Throws: what is wrong with it.
    init(parsing line: ArraySlice<UInt8>, sequence: Int, seed: UInt32) throws(JournalDamage) {
        if let other = Self.otherVersion(line) { throw .newerVersion(other) }
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        func damaged(_ reason: String) -> JournalDamage { .damaged(line: sequence + 1, reason: reason) }
        guard fields.count == 4, fields[0].elementsEqual("hf\(Self.version)".utf8) else {
            throw damaged("it is no record")
        }
        guard fields[1].elementsEqual("\(sequence)".utf8) else {
            throw damaged("it is not record \(sequence)")
        }
        let checksum = Self.checksum(sequence: sequence, json: fields[3], seed: seed)
        guard fields[2].elementsEqual(checksum.hexadecimal(digits: 8).utf8) else {
            throw damaged("its checksum does not fit, or it belongs to another place or journal")
        }
        guard
            // What is no JSON is damage, thrown below.
            let value = try? JSONValue(parsing: Array(fields[3])), let state = value["state"]?.string,
            let time = value["time"]?.string.flatMap(WallClock.microseconds(rfc3339:)),
            let facts = value["facts"]?.object
        else { throw damaged("it lacks state, time or facts") }
        record = JournalRecord(sequence: sequence, state: state, time: time, facts: facts)
        self.checksum = checksum
    }

    /// The version of a line of another format; nil for our own and for what is no line at all.
    static func otherVersion(_ line: ArraySlice<UInt8>) -> Int? {
        guard line.starts(with: "hf".utf8), let space = line.firstIndex(of: UInt8(ascii: " ")) else { return nil }
        let digits = String(decoding: line[(line.startIndex + 2)..<space], as: UTF8.self)
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits) else { return nil }
        return number > version ? number : nil
    }

    /// Whether bytes without a line break can be the beginning of a record whose writing was cut short.
    static func isBeginning(_ tail: ArraySlice<UInt8>, sequence: Int) -> Bool {
        let head = Array("hf\(version) \(sequence) ".utf8)
        guard tail.count > head.count else { return head.starts(with: tail) }
        guard tail.starts(with: head) else { return false }
        let rest = tail.dropFirst(head.count)
        let isHexadecimal = rest.prefix(8).allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
        return isHexadecimal && " {".utf8.starts(with: rest.dropFirst(8).prefix(2))
    }
}
