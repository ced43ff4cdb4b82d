/// A chart of the results of `containers`: a panel for each load, a column for each memory size.
struct ContainerChart {
    let results: ContainerResults

    private static let left = 72.0
    private static let panelWidth = 300.0
    private static let panelGap = 26.0

    init(_ results: ContainerResults) { self.results = results }

    private struct Panel {
        let title: String
        /// One column each, with its label.
        let columns: [(words: String, shape: ContainerShape)]
    }

    private var panels: [Panel] {
        let fewest = results.shapes.map(\.processes).min() ?? 1
        let loads = Set(results.shapes.map(\.dirtyMB)).sorted().compactMap { load -> Panel? in
            let shapes = results.shapes.filter { $0.processes == fewest && $0.dirtyMB == load }
            guard !shapes.isEmpty else { return nil }
            return Panel(
                title: load == 0 ? "idle" : "writing \(load) MB/s",
                columns: shapes.sorted { $0.memoryMiB < $1.memoryMiB }.map { ($0.memoryName, $0) })
        }
        let several = results.shapes.filter { $0.dirtyMB == 0 }
        let counts = Set(several.map(\.processes)).sorted()
        guard counts.count > 1, let size = several.first(where: { $0.processes > fewest })?.memoryMiB else {
            return loads
        }
        let columns = counts.compactMap { count in
            several.first { $0.processes == count && $0.memoryMiB == size }.map { (words: "\(count)", shape: $0) }
        }
        return loads + [Panel(title: "processes, \(size)M idle", columns: columns)]
    }

    var svg: String {
        let panels = panels
        let width = Self.left + Double(max(panels.count, 2)) * (Self.panelWidth + Self.panelGap)
        var chart = DurationChart(
            title: "How long a TCP client hears nothing while its container is relocated",
            subtitle: "longest gap between two lines: median, and line up to the longest; milliseconds, logarithmic",
            width: width, plot: Self.left...(width - Self.panelGap), decades: 1...5, kinds: Self.kinds
        ) { $0 < 1000 ? "\(Int($0)) ms" : "\(Int($0 / 1000)) s" }
        for (index, panel) in panels.enumerated() {
            draw(panel, x: Self.left + Double(index) * (Self.panelWidth + Self.panelGap), &chart)
        }
        return chart.document(
            footer: "\(results.machine.cores) cores of \(results.machine.cpu), OS VMs on "
                + "\(results.inside.accelerator.uppercased()), \(results.date.prefix(10))")
    }

    private func draw(_ panel: Panel, x: Double, _ chart: inout DurationChart) {
        let step = Self.panelWidth / Double(max(panel.columns.count, 1))
        for (index, column) in panel.columns.enumerated() {
            let middle = x + step * (Double(index) + 0.5)
            for (place, method) in ContainerMethod.allCases.enumerated() {
                guard let series = results.series(column.shape, method) else { continue }
                let distribution = Distribution(series.downtimeMicroseconds)
                guard let median = distribution.percentile(50) else { continue }
                chart.mark(
                    method.rawValue, median: median, high: distribution.maximum,
                    x: middle + (Double(place) - 0.5) * step / 2.6)
            }
            chart.svg.text(column.words, x: middle, y: DurationChart.bottom + 20, anchor: .middle, class: "label")
        }
        chart.svg.text(
            panel.title, x: x + Self.panelWidth / 2, y: DurationChart.bottom + 40, anchor: .middle, class: "strong")
    }

    private static let kinds = zip(ContainerMethod.allCases, [ChartStyle.Colour.blue, .orange]).map { method, colour in
        DurationChart.Kind(name: method.rawValue, title: method.title, colour: colour)
    }
}
