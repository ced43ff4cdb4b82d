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
        let day = floorDivide(microseconds, 86_400_000_000)
        let (year, month, dayOfMonth) = civil(day: day.quotient)
        let second = day.remainder / 1_000_000
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))"
        let time = "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
        return "\(date)T\(time).\(padded(day.remainder % 1_000_000, 6))Z"
    }

    /// Parses a time in exactly the format of `rfc3339(_:)`.
    ///
    /// - Parameter text: 27 characters.
    /// - Returns: microseconds since 1970 in UTC; nil for anything else.
    public static func microseconds(rfc3339 text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == 27 else { return nil }
        func number(_ range: Range<Int>) -> Int64? { Int64(String(decoding: bytes[range], as: UTF8.self)) }
        guard
            let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), let hour = number(11..<13),
            let minute = number(14..<16), let second = number(17..<19), let fraction = number(20..<26),
            (1...12).contains(month)
        else { return nil }
        // The inverse of `civil`: days_from_civil.
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = floorDivide(shiftedYear, 400)
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = era.remainder * 365 + era.remainder / 4 - era.remainder / 100 + dayOfYear
        let days = era.quotient * 146_097 + dayOfEra - 719_468
        let time = (((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + fraction
        // Formatting the result again rejects every other text.
        return rfc3339(time) == text ? time : nil
    }

    /// Returns the date of a day counted from 1970, by Howard Hinnant's `civil_from_days`: years begin in March, eras
    /// have 400 years.
    private static func civil(day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let era = floorDivide(day + 719_468, 146_097)
        let dayOfEra = era.remainder
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era.quotient * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func floorDivide(_ value: Int64, _ by: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: by)
        return remainder < 0 ? (quotient - 1, remainder + by) : (quotient, remainder)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
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
