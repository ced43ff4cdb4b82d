/// A chart of the results of `switch`: a panel for each load, a column for each memory size.
struct SwitchChart {
    let results: SwitchResults

    private static let left = 62.0
    private static let panelWidth = 385.0
    private static let panelGap = 26.0

    init(_ results: SwitchResults) { self.results = results }

    var svg: String {
        let loads = GuestShape.Load.allCases.filter { load in results.shapes.contains { $0.load == load } }
        let width = Self.left + Double(loads.count) * (Self.panelWidth + Self.panelGap)
        var chart = DurationChart(
            title: "How long a guest stands still while its QEMU is replaced",
            subtitle: "STOP to RESUME, by QEMU's timestamps: median, and line up to the 99th percentile; milliseconds, "
                + "logarithmic",
            width: width, plot: Self.left...(width - Self.panelGap), decades: 0...3, kinds: Self.kinds)
        for (index, load) in loads.enumerated() {
            panel(load, x: Self.left + Double(index) * (Self.panelWidth + Self.panelGap), &chart)
        }
        return chart.document(
            footer: "\(results.machine.cores) cores of \(results.machine.cpu), emulated guests (TCG), "
                + "\(results.date.prefix(10))")
    }

    private func panel(_ load: GuestShape.Load, x: Double, _ chart: inout DurationChart) {
        let shapes = results.shapes.filter { $0.load == load }
        let bottom = DurationChart.bottom
        let step = Self.panelWidth / Double(max(shapes.count, 1))
        for (index, shape) in shapes.enumerated() {
            let middle = x + step * (Double(index) + 0.5)
            for (place, method) in Method.allCases.enumerated() {
                guard let series = results.series(shape, method) else { continue }
                let distribution = Distribution(series.switchMicroseconds)
                guard let median = distribution.percentile(50), let high = distribution.percentile(99) else { continue }
                chart.mark(
                    method.rawValue, median: median, high: high, x: middle + Double(place - 1) * step / 3.6)
            }
            chart.svg.text(shape.memoryName, x: middle, y: bottom + 20, anchor: .middle, class: "label")
        }
        chart.svg.text(
            "\(load.rawValue) guests", x: x + Self.panelWidth / 2, y: bottom + 40, anchor: .middle, class: "strong")
    }

    private static let kinds = zip(Method.allCases, [ChartStyle.Colour.blue, .grey, .orange]).map { method, colour in
        DurationChart.Kind(name: method.rawValue, title: method.title, colour: colour)
    }
}
