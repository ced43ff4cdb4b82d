internal import JSON
internal import Linux

/// One record as a line of text: `hf1 <sequence> <checksum> <json>`.
///
/// The checksum is a CRC-32C of the sequence and the JSON text. It continues the checksum of the line before, and in
/// the first line that of the handoff's id. So a line is valid only at its own place in its own journal.
struct JournalLine {
    /// The version of the format that this product writes, and the only one that it reads.
    static let version = 1

    let record: JournalRecord
    let checksum: UInt32

    /// Returns the checksum that the first line's checksum continues.
    static func seed(id: String) -> UInt32 {
        var crc = CRC32C()
        crc.update(id.utf8)
        return crc.value
    }

    /// Returns the line with its line break, and its checksum.
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

    /// Parses a line without its line break.
    ///
    /// - Throws: the damage.
    init(parsing line: ArraySlice<UInt8>, sequence: Int, seed: UInt32) throws(JournalDamage) {
        if let other = Self.otherVersion(line) { throw .newerVersion(other) }
        let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
        func damaged(_ reason: String) -> JournalDamage { .damaged(line: sequence + 1, reason: reason) }
        guard fields.count == 4, fields[0].elementsEqual("hf\(Self.version)".utf8) else {
            throw damaged("it is not a record")
        }
        guard fields[1].elementsEqual("\(sequence)".utf8) else {
            throw damaged("it is not record \(sequence)")
        }
        let checksum = Self.checksum(sequence: sequence, json: fields[3], seed: seed)
        guard fields[2].elementsEqual(checksum.hexadecimal(digits: 8).utf8) else {
            throw damaged("its checksum does not match, or it belongs to another line or journal")
        }
        guard
            // Invalid JSON is damage, thrown below.
            let value = try? JSONValue(parsing: Array(fields[3])), let state = value["state"]?.string,
            let time = value["time"]?.string.flatMap(WallClock.microseconds(rfc3339:)),
            let facts = value["facts"]?.object
        else { throw damaged("it lacks state, time or facts") }
        record = JournalRecord(sequence: sequence, state: state, time: time, facts: facts)
        self.checksum = checksum
    }

    /// Returns the version of a line in a later format; nil for this format and for anything that is not a line.
    static func otherVersion(_ line: ArraySlice<UInt8>) -> Int? {
        guard line.starts(with: "hf".utf8), let space = line.firstIndex(of: UInt8(ascii: " ")) else { return nil }
        let digits = String(decoding: line[(line.startIndex + 2)..<space], as: UTF8.self)
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(digits) else { return nil }
        return number > version ? number : nil
    }

    /// Returns whether bytes without a line break can be the beginning of a record that was cut short.
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

/// The checksum of iSCSI and ext4 (RFC 3720, appendix B.4): it detects every burst of up to 32 flipped bits.
struct CRC32C {
    private(set) var value: UInt32

    /// Starts a new checksum, or continues one.
    init(continuing value: UInt32 = 0) {
        self.value = value
    }

    mutating func update(_ bytes: some Sequence<UInt8>) {
        var register = ~value
        for byte in bytes {
            register = register >> 8 ^ Self.table[Int(UInt8(truncatingIfNeeded: register) ^ byte)]
        }
        value = ~register
    }

    private static let table: [UInt32] = (0..<256).map { index in
        // The polynomial 0x1EDC6F41 with its bits reversed.
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }
}
