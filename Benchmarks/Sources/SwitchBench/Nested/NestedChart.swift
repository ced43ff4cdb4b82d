/// A chart of the results of `hypervisor`: a panel for each memory size, a column for each number of guests.
struct NestedChart {
    let results: NestedResults

    private static let left = 72.0
    private static let panelWidth = 340.0
    private static let panelGap = 26.0

    init(_ results: NestedResults) { self.results = results }

    var svg: String {
        let sizes = Set(results.shapes.map(\.memoryMiB)).sorted()
        let width = Self.left + Double(max(sizes.count, 2)) * (Self.panelWidth + Self.panelGap)
        var chart = DurationChart(
            title: "How long guests stand still while their hypervisor is replaced",
            subtitle: "STOP to RESUME as they arrive on the host: median, and line up to the longest; milliseconds, "
                + "logarithmic",
            width: width, plot: Self.left...(width - Self.panelGap), decades: 1...5, kinds: Self.kinds
        ) { $0 < 1000 ? "\(Int($0)) ms" : "\(Int($0 / 1000)) s" }
        for (index, size) in sizes.enumerated() {
            panel(size, x: Self.left + Double(index) * (Self.panelWidth + Self.panelGap), &chart)
        }
        return chart.document(
            footer: "\(results.machine.cores) cores of \(results.machine.cpu), hypervisors on "
                + "\(results.inside.accelerator.uppercased()), \(results.date.prefix(10))")
    }

    private func panel(_ size: Int, x: Double, _ chart: inout DurationChart) {
        let shapes = results.shapes.filter { $0.memoryMiB == size }
        let bottom = DurationChart.bottom
        let step = Self.panelWidth / Double(max(shapes.count, 1))
        for (index, shape) in shapes.enumerated() {
            let middle = x + step * (Double(index) + 0.5)
            for (place, method) in NestedMethod.allCases.enumerated() {
                guard let series = results.series(shape, method) else { continue }
                let distribution = Distribution(series.switchMicroseconds)
                guard let median = distribution.percentile(50) else { continue }
                chart.mark(
                    method.rawValue, median: median, high: distribution.maximum,
                    x: middle + Double(place - 1) * step / 3.6)
            }
            chart.svg.text(
                shape.guests == 1 ? "one guest" : "\(shape.guests) guests", x: middle, y: bottom + 20, anchor: .middle,
                class: "label")
        }
        chart.svg.text(
            "guests of \(shapes.first?.memoryName ?? "")", x: x + Self.panelWidth / 2, y: bottom + 40, anchor: .middle,
            class: "strong")
    }

    private static let kinds = zip(NestedMethod.allCases, [ChartStyle.Colour.blue, .grey, .orange]).map {
        method, colour in
        DurationChart.Kind(name: method.rawValue, title: method.title, colour: colour)
    }
}
