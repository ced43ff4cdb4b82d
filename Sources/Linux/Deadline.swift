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
