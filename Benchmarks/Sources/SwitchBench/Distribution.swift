import Histogram

/// What a set of durations looks like, by an HdrHistogram of three significant digits.
struct Distribution: Sendable {
    let count: Int
    let minimum: Int
    let maximum: Int

    private let histogram: Histogram<UInt32>

    /// - Parameter microseconds: The durations.
    init(_ microseconds: some Sequence<Int>) {
        var histogram = Histogram<UInt32>(highestTrackableValue: 3_600_000_000, numberOfSignificantValueDigits: .three)
        for value in microseconds { _ = histogram.record(UInt64(max(value, 0))) }
        self.histogram = histogram
        count = Int(histogram.totalCount)
        minimum = Int(histogram.min)
        maximum = Int(histogram.max)
    }

    /// The least duration, in microseconds, that so many percent do not exceed; nil of nothing.
    func percentile(_ percent: Double) -> Int? {
        count == 0 ? nil : Int(histogram.valueAtPercentile(percent))
    }
}
