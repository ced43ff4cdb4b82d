import JSON
import TestTools
import Testing

@testable import Journal

/// Feeds mutated journals to their reader, unchanged and with valid checksums.
@Suite struct JournalFuzzTests {
    private static let corpus = FuzzCorpus(
        inputs: [
            JournalFormatTests.journal().bytes, [], Array("hf1 0 00000000 {".utf8), Array("hf2 0 00000000 {}\n".utf8),
            Array("hf1 0 0".utf8), Array(repeating: 0x0A, count: 20),
        ],
        tokens: [
            "hf1 ", "hf2 ", "hf99999999999999999999 ", "hf ", "hf1 0 ", "hf1 1 ", "{\"facts\":{},", "\"state\":",
            "\"time\":",
            "\"2023-11-14T22:13:20.200000Z\"", "\"committed\"", "{}", "}", "\\u0000",
        ].map { Array($0.utf8) }, largestInput: 4000)

    @Test func theReaderHoldsItsProperties() async {
        let failure = await Fuzz("journal", Self.corpus).run { input, _ in
            try Self.check(input)
            try Self.check(Self.sealed(input))
        }
        #expect(failure == nil)
    }

    /// Records read are records written: the same bytes, and nothing after the damage.
    private static func check(_ input: [UInt8]) throws {
        let id = JournalFormatTests.id
        let reading = JournalReading(parsing: input, id: id)
        guard reading.validBytes <= input.count, reading.damage != nil || reading.validBytes == input.count else {
            throw Fuzz.Violation("\(reading.validBytes) of \(input.count) bytes, \(String(describing: reading.damage))")
        }
        guard reading.records.map(\.sequence) == Array(0..<reading.records.count) else {
            throw Fuzz.Violation("the records are not in their order")
        }
        let again = JournalReading(parsing: Array(input[..<reading.validBytes]), id: id)
        guard again.damage == nil, again.records == reading.records, again.checksum == reading.checksum else {
            throw Fuzz.Violation("what is before the damage reads otherwise by itself")
        }
        // Another handoff's journal yields no records.
        guard reading.records.isEmpty || JournalReading(parsing: input, id: id + "x").records.isEmpty else {
            throw Fuzz.Violation("the journal is good for another handoff too")
        }
        if case .tornTail(let bytes) = reading.damage, bytes != input.count - reading.validBytes {
            throw Fuzz.Violation("the torn tail is not the rest")
        }
    }

    /// Returns the input with valid checksums, so that the reader gets past them.
    private static func sealed(_ input: [UInt8]) -> [UInt8] {
        var checksum = JournalLine.seed(id: JournalFormatTests.id)
        var sealed: [UInt8] = []
        for (sequence, line) in input.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let json = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false).last ?? line
            var crc = CRC32C(continuing: checksum)
            crc.update("hf1 \(sequence) ".utf8)
            crc.update(json)
            checksum = crc.value
            let digits = String(checksum, radix: 16)
            let head = "hf1 \(sequence) " + String(repeating: "0", count: 8 - digits.utf8.count) + digits + " "
            sealed += Array(head.utf8) + json + [0x0A]
        }
        return sealed
    }
}
