internal import CLinux
internal import Glibc

/// The time of day, for records and for comparison with QEMU's event timestamps, which use the same clock.
public enum WallClock {
    /// Returns microseconds since 1970 in UTC.
    public static func microseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// Formats a time as in RFC 3339, in UTC with microseconds: `2026-01-31T23:59:59.000001Z`.
    ///
    /// - Parameter microseconds: microseconds since 1970 in UTC; years 0 to 9999.
    /// - Returns: 27 characters.
    public static func rfc3339(_ microseconds: Int64) -> String {
        let (seconds, fraction) = floorDivide(microseconds, 1_000_000)
        var (time, date) = (time_t(seconds), tm())
        gmtime_r(&time, &date)
        let day = "\(padded(date.tm_year + 1900, 4))-\(padded(date.tm_mon + 1, 2))-\(padded(date.tm_mday, 2))"
        return
            "\(day)T\(padded(date.tm_hour, 2)):\(padded(date.tm_min, 2)):\(padded(date.tm_sec, 2)).\(padded(fraction, 6))Z"
    }

    /// Parses a time in exactly the format of `rfc3339(_:)`.
    ///
    /// - Parameter text: 27 characters.
    /// - Returns: microseconds since 1970 in UTC; nil for anything else.
    public static func microseconds(rfc3339 text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == 27 else { return nil }
        func number(_ range: Range<Int>) -> Int32? { Int32(String(decoding: bytes[range], as: UTF8.self)) }
        guard
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), let fraction = number(20..<26)
        else { return nil }
        var date = tm()
        (date.tm_year, date.tm_mon, date.tm_mday) = (year - 1900, month - 1, day)
        (date.tm_hour, date.tm_min, date.tm_sec) = (hour, minute, second)
        let time = Int64(timegm(&date)) * 1_000_000 + Int64(fraction)
        // Formatting the result again rejects every other text.
        return rfc3339(time) == text ? time : nil
    }

    private static func floorDivide(_ value: Int64, _ by: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: by)
        return remainder < 0 ? (quotient - 1, remainder + by) : (quotient, remainder)
    }

    private static func padded(_ value: some BinaryInteger, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

/// The point in time at which a wait ends, or none.
struct Deadline {
    private let instant: ContinuousClock.Instant?

    init(within duration: Duration?) {
        instant = duration.map { ContinuousClock.now + $0 }
    }

    /// The remaining milliseconds for poll(2): rounded up, 0 if it has passed, -1 if there is no deadline.
    var pollTimeout: Int32 {
        guard let instant else { return -1 }
        let left = (instant - ContinuousClock.now).microseconds
        guard left > 0 else { return 0 }
        return Int32(clamping: (left + 999) / 1000)
    }
}

extension Duration {
    /// The duration in whole microseconds, rounded down and clamped to Int64.
    public var microseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return product + attoseconds / 1_000_000_000_000
    }
}

/// The time stamp counter of this host's CPUs (RDTSC).
public enum TimeStampCounter {
    /// Measures its frequency in kHz against the monotonic clock; takes 50 ms and is accurate to some hundredths of a
    /// percent.
    ///
    /// - Returns: the frequency; nil if there is no such counter.
    public static func measureKilohertz() -> Int? {
        let rate = Int(hf_tsc_kilohertz())
        return rate > 0 ? rate : nil
    }
}
