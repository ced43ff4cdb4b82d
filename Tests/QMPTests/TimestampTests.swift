import JSON
import Testing

@testable import QMP

/// A QEMU may send any numbers as the time of an event; durations are computed from them.
@Suite struct TimestampTests {
    @Test func ordinaryTimesAreExact() {
        #expect(QMPTimestamp(seconds: 1_700_000_000, microseconds: 5).microsecondsSinceEpoch == 1_700_000_000_000_005)
        #expect(QMPTimestamp(seconds: -1, microseconds: -1).microsecondsSinceEpoch == -1_000_001)
    }

    @Test func anyTwoHaveADifference() {
        let numbers: [Int64] = [.min, .min + 1, -9_223_372_036_855, -1, 0, 1, 9_223_372_036_855, .max - 1, .max]
        let times = numbers.flatMap { seconds in
            numbers.map { QMPTimestamp(seconds: seconds, microseconds: $0).microsecondsSinceEpoch }
        }
        for first in times {
            for second in times {
                let (_, overflow) = first.subtractingReportingOverflow(second)
                #expect(!overflow)
            }
        }
    }
}
