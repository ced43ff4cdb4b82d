import Foundation

/// A chart of a soak: a dot for each refresh, from left to right, and the median of each tenth.
struct SoakChart {
    let results: SoakResults

    private static let width = 884.0
    private static let plot = 70.0...858.0
    private static let median = DurationChart.Kind(name: "median", title: "median of a tenth of the run", colour: .grey)

    init(_ results: SoakResults) { self.results = results }

    var svg: String {
        let switches = results[.switchMicroseconds]
        let longest = Double(switches.max() ?? 0) / 1000
        let colours = [ChartStyle.Colour.blue, .orange]
        let kinds = results.versions.enumerated().map { place, version in
            DurationChart.Kind(name: "to\(place)", title: "to QEMU \(version)", colour: colours[place % colours.count])
        }
        var chart = DurationChart(
            title: "\(results.count) refreshes in a row: how long the guest stood still each time",
            subtitle: "STOP to RESUME, by QEMU's timestamps; milliseconds, logarithmic", width: Self.width,
            plot: Self.plot, decades: 0...max(2, Int(log10(max(longest, 1)).rounded(.up))), kinds: kinds + [Self.median]
        )
        for (index, (duration, version)) in zip(switches, results[.version]).enumerated() {
            chart.svg.circle(
                x: place(Double(index) + 0.5), y: chart.height(of: Double(duration) / 1000), radius: 1.7,
                class: "dot to\(version)")
        }
        for window in SoakReport.tenths(results.count) { draw(window, &chart) }
        chart.svg.text(
            "refreshes", x: (Self.plot.lowerBound + Self.plot.upperBound) / 2, y: DurationChart.bottom + 40,
            anchor: .middle, class: "strong")
        return chart.document(
            footer: "\(results.machine.cores) cores of \(results.machine.cpu), an emulated guest (TCG) with disk and "
                + "network, \(results.date.prefix(10))")
    }

    private func draw(_ window: Range<Int>, _ chart: inout DurationChart) {
        guard let median = Distribution(results[.switchMicroseconds][window]).percentile(50) else { return }
        let y = chart.height(of: Double(median) / 1000)
        let (left, right) = (place(Double(window.lowerBound)), place(Double(window.upperBound)))
        chart.svg.line(x1: left, y1: y, x2: right, y2: y, class: "range median")
        chart.svg.text(
            "\(window.upperBound)", x: right, y: DurationChart.bottom + 20, anchor: .middle, class: "label")
    }

    private func place(_ refresh: Double) -> Double {
        Self.plot.lowerBound + (Self.plot.upperBound - Self.plot.lowerBound) * refresh / Double(max(results.count, 1))
    }
}
