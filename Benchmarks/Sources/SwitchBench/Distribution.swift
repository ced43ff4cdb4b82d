import Histogram

/// The distribution of durations: an HdrHistogram with three significant digits.
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

    /// Returns the percentile in microseconds; nil if there are no durations.
    func percentile(_ percent: Double) -> Int? {
        count == 0 ? nil : Int(histogram.valueAtPercentile(percent))
    }
}
