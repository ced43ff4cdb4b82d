/// A point in time by which a wait has to end, or none.
struct Deadline {
    private let instant: ContinuousClock.Instant?

    init(within duration: Duration?) {
        instant = duration.map { ContinuousClock.now + $0 }
    }

    /// What is left in milliseconds, as poll(2) takes it: rounded up, 0 when it has passed, -1 when there is no deadline.
    var pollTimeout: Int32 {
        guard let instant else { return -1 }
        let left = (instant - ContinuousClock.now).microseconds
        guard left > 0 else { return 0 }
        return Int32(clamping: (left + 999) / 1000)
    }
}

extension Duration {
    /// The duration in whole microseconds, rounded down; capped at what an Int64 holds.
    public var microseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        return product + attoseconds / 1_000_000_000_000
    }
}
