import Foundation

/// The common parts of duration charts: title, legend, and a logarithmic vertical axis in milliseconds.
struct DurationChart {
    /// The meaning of one class of marks.
    struct Kind {
        let name: String
        let title: String
        let colour: ChartStyle.Colour
    }

    static let top = 104.0
    static let plotHeight = 290.0
    /// The bottom edge of the plot.
    static let bottom = top + plotHeight

    /// The range of the axis: powers of ten, in milliseconds.
    let decades: ClosedRange<Int>
    /// The drawing.
    var svg: SVG

    /// Starts a chart.
    ///
    /// - Parameters:
    ///   - title: The title.
    ///   - subtitle: The meaning of the marks, in a small line.
    ///   - width: The width.
    ///   - plot: The horizontal range of the grid lines.
    ///   - decades: The range of the axis: powers of ten, in milliseconds.
    ///   - kinds: The legend, in order.
    ///   - label: Formats a power of ten.
    init(
        title: String, subtitle: String, width: Double, plot: ClosedRange<Double>, decades: ClosedRange<Int>,
        kinds: [Kind], label: (Double) -> String = { "\(Int($0)) ms" }
    ) {
        let marks = kinds.map { (name: $0.name, colour: $0.colour) }
        self.decades = decades
        svg = SVG(
            width: Int(width), height: 470, title: title, style: ChartStyle.css(.light, marks: marks),
            darkStyle: ChartStyle.css(.dark, marks: marks))
        svg.text(title, x: 20, y: 30, class: "title")
        svg.text(subtitle, x: 20, y: 50, class: "small")
        legend(kinds)
        scale(over: plot, label: label)
    }

    /// Returns the finished chart.
    ///
    /// - Parameter footer: The machine and the date, in a small line at the bottom.
    /// - Returns: The document.
    func document(footer: String) -> String {
        var svg = svg
        svg.text(footer, x: 20, y: 456, class: "small")
        return svg.document
    }

    /// Draws a dot at the median, with its figure, and a line up to a high value; both in microseconds.
    mutating func mark(_ name: String, median: Int, high: Int, x: Double) {
        let (y, yHigh) = (height(of: Double(median) / 1000), height(of: Double(high) / 1000))
        svg.line(x1: x, y1: y, x2: x, y2: yHigh, class: "range \(name)")
        svg.line(x1: x - 4, y1: yHigh, x2: x + 4, y2: yHigh, class: "range \(name)")
        svg.circle(x: x, y: y, radius: 5, class: "dot \(name)")
        svg.text(Figures.short(median), x: x, y: y + 17, anchor: .middle, class: "small")
    }

    /// Returns the vertical position of a duration; values off the scale are drawn at its edge.
    func height(of milliseconds: Double) -> Double {
        let (low, high) = (Double(decades.lowerBound), Double(decades.upperBound))
        let share = (log10(max(milliseconds, 0.001)) - low) / (high - low)
        return Self.top + Self.plotHeight * (1 - min(max(share, 0), 1))
    }

    private mutating func legend(_ kinds: [Kind]) {
        var x = 24.0
        for kind in kinds {
            svg.circle(x: x, y: 71, radius: 5, class: "dot \(kind.name)")
            svg.text(kind.title, x: x + 11, y: 75, class: "label")
            x += 40 + Double(kind.title.count) * 7.2
        }
    }

    private mutating func scale(over plot: ClosedRange<Double>, label: (Double) -> String) {
        for decade in decades {
            let value = pow(10, Double(decade))
            for factor in 1...9 where decade < decades.upperBound || factor == 1 {
                let y = height(of: value * Double(factor))
                svg.line(
                    x1: plot.lowerBound, y1: y, x2: plot.upperBound, y2: y, class: factor == 1 ? "grid" : "grid fine")
            }
            svg.text(label(value), x: plot.lowerBound - 8, y: height(of: value) + 4, anchor: .end, class: "label")
        }
    }
}
