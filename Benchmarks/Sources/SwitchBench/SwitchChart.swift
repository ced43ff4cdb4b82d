import Foundation

/// The results of `switch` as a picture: a panel for each load, a column for each size of memory, milliseconds on a
/// logarithmic scale upwards.
struct SwitchChart {
    let results: SwitchResults

    private static let left = 62.0
    private static let panelWidth = 385.0
    private static let panelGap = 26.0
    private static let top = 104.0
    private static let plotHeight = 290.0
    /// Powers of ten, in milliseconds.
    private static let decades = 0...3

    init(_ results: SwitchResults) { self.results = results }

    var svg: String {
        let loads = GuestShape.Load.allCases.filter { load in results.shapes.contains { $0.load == load } }
        let width = Self.left + Double(loads.count) * (Self.panelWidth + Self.panelGap)
        let title = "How long a guest stands still while its QEMU is replaced"
        var svg = SVG(
            width: Int(width), height: 470, title: title,
            style: ChartStyle.css(.light, marks: Self.marks), darkStyle: ChartStyle.css(.dark, marks: Self.marks))
        svg.text(title, x: 20, y: 30, class: "title")
        svg.text(
            "STOP to RESUME, by QEMU's timestamps: median, and line up to the 99th percentile; milliseconds, logarithmic",
            x: 20, y: 50, class: "small")
        legend(&svg)
        axis(&svg, to: width - Self.panelGap)
        for (index, load) in loads.enumerated() {
            panel(load, x: Self.left + Double(index) * (Self.panelWidth + Self.panelGap), &svg)
        }
        svg.text(
            "\(results.machine.cores) cores of \(results.machine.cpu), emulated guests (TCG), \(results.date.prefix(10))",
            x: 20, y: 456, class: "small")
        return svg.document
    }

    private func legend(_ svg: inout SVG) {
        var x = 24.0
        for method in Method.allCases {
            svg.circle(x: x, y: 71, radius: 5, class: "dot \(method.rawValue)")
            svg.text(method.title, x: x + 11, y: 75, class: "label")
            x += 40 + Double(method.title.count) * 7.2
        }
    }

    private func axis(_ svg: inout SVG, to right: Double) {
        for decade in Self.decades {
            let value = pow(10, Double(decade))
            for factor in 1...9 where decade < Self.decades.upperBound || factor == 1 {
                let y = height(of: value * Double(factor))
                svg.line(x1: Self.left, y1: y, x2: right, y2: y, class: factor == 1 ? "grid" : "grid fine")
            }
            svg.text("\(Int(value)) ms", x: Self.left - 8, y: height(of: value) + 4, anchor: .end, class: "label")
        }
    }

    private func panel(_ load: GuestShape.Load, x: Double, _ svg: inout SVG) {
        let shapes = results.shapes.filter { $0.load == load }
        let bottom = Self.top + Self.plotHeight
        let step = Self.panelWidth / Double(max(shapes.count, 1))
        for (index, shape) in shapes.enumerated() {
            let middle = x + step * (Double(index) + 0.5)
            for (place, method) in Method.allCases.enumerated() {
                guard let series = results.series(shape, method) else { continue }
                mark(series, x: middle + Double(place - 1) * step / 3.6, &svg)
            }
            svg.text(shape.memoryName, x: middle, y: bottom + 20, anchor: .middle, class: "label")
        }
        svg.text(
            "\(load.rawValue) guests", x: x + Self.panelWidth / 2, y: bottom + 40, anchor: .middle, class: "strong")
    }

    private func mark(_ series: SwitchResults.Series, x: Double, _ svg: inout SVG) {
        let distribution = Distribution(series.switchMicroseconds)
        guard let median = distribution.percentile(50), let high = distribution.percentile(99) else { return }
        let (y, yHigh) = (height(of: Double(median) / 1000), height(of: Double(high) / 1000))
        svg.line(x1: x, y1: y, x2: x, y2: yHigh, class: "range \(series.method.rawValue)")
        svg.line(x1: x - 4, y1: yHigh, x2: x + 4, y2: yHigh, class: "range \(series.method.rawValue)")
        svg.circle(x: x, y: y, radius: 5, class: "dot \(series.method.rawValue)")
        svg.text(Figures.short(median), x: x, y: y + 17, anchor: .middle, class: "small")
    }

    private func height(of milliseconds: Double) -> Double {
        let (low, high) = (Double(Self.decades.lowerBound), Double(Self.decades.upperBound))
        let share = (log10(max(milliseconds, 0.001)) - low) / (high - low)
        return Self.top + Self.plotHeight * (1 - min(max(share, 0), 1))
    }

    private static let marks: [(name: String, colour: ChartStyle.Colour)] = [
        ("hyperfresh", .blue), ("floor", .grey), ("precopy", .orange),
    ]
}
