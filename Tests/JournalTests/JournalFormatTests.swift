import Handoff
import JSON
import Testing

@testable import Journal

/// The pure part: from bytes to records and damage.
@Suite struct JournalFormatTests {
    static let id = "0123abcd"

    static let records: [JournalRecord] = [
        JournalRecord(
            sequence: 0, state: "planned", time: 1_700_000_000_000_001,
            facts: ["guest": "ünï\n\"x\"", "old": ["pid": 42, "start": 7], "deep": [[1, 2.5, nil, true]]]
        ),
        JournalRecord(sequence: 1, state: "launched", time: 1_700_000_000_100_000, facts: ["pid": 43]),
        JournalRecord(sequence: 2, state: "committed", time: 1_700_000_000_200_000, facts: [:]),
    ]

    /// Returns a journal of these records, and the end of each of its lines.
    static func journal(_ records: [JournalRecord] = records) -> (bytes: [UInt8], ends: [Int]) {
        var bytes: [UInt8] = []
        var ends: [Int] = []
        var checksum = JournalLine.seed(id: id)
        for record in records {
            let line = JournalLine.encode(record, seed: checksum)
            bytes += line.bytes
            checksum = line.checksum
            ends.append(bytes.count)
        }
        return (bytes, ends)
    }

    @Test func theChecksumIsTheKnownOne() {
        // RFC 3720, appendix B.4, and the usual check value.
        var check = CRC32C()
        check.update("123456789".utf8)
        #expect(check.value == 0xE306_9283)
        var zeros = CRC32C()
        zeros.update([UInt8](repeating: 0, count: 16))
        zeros.update([UInt8](repeating: 0, count: 16))
        #expect(zeros.value == 0x8A91_36AA)
    }

    @Test func whatIsWrittenIsRead() {
        let reading = JournalReading(parsing: Self.journal().bytes, id: Self.id)
        #expect(reading.records == Self.records && reading.damage == nil && reading.state == "committed")
        #expect(JournalReading(parsing: [], id: Self.id).records == [])
    }

    @Test func aPersonCanReadIt() {
        let text = String(decoding: Self.journal([Self.records[2]].map(Self.first)).bytes, as: UTF8.self)
        #expect(
            text == #"""
                hf1 0 \#(text.split(separator: " ")[2]) \#
                {"facts":{},"state":"committed","time":"2023-11-14T22:13:20.200000Z"}

                """#
        )
    }

    private static func first(_ record: JournalRecord) -> JournalRecord {
        JournalRecord(sequence: 0, state: record.state, time: record.time, facts: record.facts)
    }

    @Test func everyTruncationKeepsTheWholeRecordsBeforeIt() {
        let (bytes, ends) = Self.journal()
        for length in 0...bytes.count {
            let reading = JournalReading(parsing: Array(bytes[..<length]), id: Self.id)
            let whole = ends.filter { $0 <= length }
            #expect(reading.records == Array(Self.records[..<whole.count]))
            let begun = length - (whole.last ?? 0)
            #expect(reading.damage == (begun == 0 ? nil : .tornTail(bytes: begun)), "cut at \(length)")
        }
    }

    @Test func everyFlippedBitIsSeenAndNeverTakenForATornTail() {
        let bytes = Self.journal().bytes
        for index in bytes.indices {
            for bit in 0..<8 {
                var flipped = bytes
                flipped[index] ^= 1 << bit
                let reading = JournalReading(parsing: flipped, id: Self.id)
                #expect(reading.records == Array(Self.records[..<reading.records.count]))
                switch reading.damage {
                case .damaged, .newerVersion: break
                case nil, .tornTail:
                    Issue.record("bit \(bit) of byte \(index): \(String(describing: reading.damage))")
                }
            }
        }
    }

    @Test func linesInTheWrongPlaceAreSeen() {
        let (bytes, ends) = Self.journal()
        let lines = [0..<ends[0], ends[0]..<ends[1], ends[1]..<ends[2]].map { Array(bytes[$0]) }
        func damage(_ order: [Int]) -> JournalDamage? {
            JournalReading(parsing: order.flatMap { lines[$0] }, id: Self.id).damage
        }
        #expect(damage([0, 1, 2]) == nil)
        for order in [[0, 2], [1, 2], [0, 2, 1], [0, 0, 1, 2], [0, 1, 1, 2]] {
            guard case .damaged = damage(order) else {
                Issue.record("\(order) is accepted")
                continue
            }
        }
        guard case .damaged(line: 1, _) = JournalReading(parsing: bytes, id: "0123abce").damage else {
            Issue.record("the journal of another handoff is accepted")
            return
        }
    }

    @Test(arguments: ["\n", "\0", "x", "hf1", "hf1 0", "hf1 3 0000000g {", "hf1 3 00000000 x", "hf01 3 0", "hf0 3 x\n"])
    func rubbishAtTheEndIsDamageUnlessItCouldHaveBeenWritten(tail: String) {
        let reading = JournalReading(parsing: Self.journal().bytes + Array(tail.utf8), id: Self.id)
        #expect(reading.records == Self.records)
        if tail == "hf1" {
            #expect(reading.damage == .tornTail(bytes: 3))
        } else if case .damaged(line: 4, _) = reading.damage {
            return
        } else {
            Issue.record("\(String(describing: reading.damage))")
        }
    }

    @Test(arguments: ["hf2 3 whatever\n", "hf17 {}\n", "hf2 3"]) func newerVersionsAreRefused(line: String) {
        let (bytes, ends) = Self.journal()
        let version = line.hasPrefix("hf2") ? 2 : 17
        #expect(JournalReading(parsing: Array(line.utf8), id: Self.id).damage == .newerVersion(version))
        let mixed = JournalReading(parsing: bytes[..<ends[1]] + Array(line.utf8), id: Self.id)
        #expect(mixed.damage == .newerVersion(version) && mixed.records.count == 2)
    }

    @Test func foldersByUser() {
        func folder(_ uid: UInt32, _ environment: [String: String]) -> String {
            StateDirectory.standard(uid: uid) { environment[$0] }
        }
        #expect(folder(0, ["XDG_RUNTIME_DIR": "/run/user/0"]) == "/run/hyperfresh")
        #expect(folder(7, ["XDG_RUNTIME_DIR": "/run/user/7"]) == "/run/user/7/hyperfresh")
        #expect(folder(7, ["XDG_RUNTIME_DIR": ""]) == "/tmp/hyperfresh-7")
        #expect(folder(0, ["HYPERFRESH_STATE_DIR": "/x"]) == "/x")
        #expect(folder(0, ["HYPERFRESH_STATE_DIR": "x"]) == "/run/hyperfresh")
    }
}
