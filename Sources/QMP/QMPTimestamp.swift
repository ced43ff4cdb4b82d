/// The time at which QEMU emitted an event, by the wall clock of its host.
public struct QMPTimestamp: Sendable, Hashable, Comparable {
    /// Seconds since 1970-01-01 UTC; -1 if QEMU could not determine it.
    public let seconds: Int64

    /// Microseconds within the second, 0 to 999,999; -1 if QEMU could not determine it.
    public let microseconds: Int64

    /// Creates a time; -1 means unknown.
    ///
    /// - Parameters:
    ///   - seconds: Seconds since 1970-01-01 UTC.
    ///   - microseconds: Microseconds within the second.
    public init(seconds: Int64, microseconds: Int64) {
        self.seconds = seconds
        self.microseconds = microseconds
    }

    /// Microseconds since 1970-01-01 UTC, limited to ±2^61, so that the difference of two fits into 64 bits.
    public var microsecondsSinceEpoch: Int64 {
        let bound: Int64 = 1 << 61
        let (whole, isTooMuch) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, isStillTooMuch) = whole.addingReportingOverflow(microseconds)
        if isTooMuch { return seconds < 0 ? -bound : bound }
        if isStillTooMuch { return microseconds < 0 ? -bound : bound }
        return min(max(sum, -bound), bound)
    }

    /// Orders by time.
    public static func < (left: QMPTimestamp, right: QMPTimestamp) -> Bool {
        (left.seconds, left.microseconds) < (right.seconds, right.microseconds)
    }
}
