/// Writes the subset of SVG that charts need.
///
/// Styles come from classes, so that one chart suits light and dark pages.
struct SVG {
    let width: Int
    let height: Int
    let title: String
    /// CSS rules for light pages, and replacements for dark ones.
    let style: String
    let darkStyle: String

    private var elements: [String] = []

    enum Anchor: String {
        case start, middle, end
    }

    init(width: Int, height: Int, title: String, style: String, darkStyle: String) {
        self.width = width
        self.height = height
        self.title = title
        self.style = style
        self.darkStyle = darkStyle
    }

    mutating func text(_ text: String, x: Double, y: Double, anchor: Anchor = .start, class name: String = "") {
        elements.append(
            "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor.rawValue)\" class=\"\(name)\">\(escaped(text))</text>"
        )
    }

    mutating func line(x1: Double, y1: Double, x2: Double, y2: Double, class name: String) {
        elements.append(
            "<line x1=\"\(number(x1))\" y1=\"\(number(y1))\" x2=\"\(number(x2))\" y2=\"\(number(y2))\" class=\"\(name)\"/>"
        )
    }

    mutating func circle(x: Double, y: Double, radius: Double, class name: String) {
        elements.append("<circle cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"\(number(radius))\" class=\"\(name)\"/>")
    }

    /// The whole document.
    var document: String {
        """
        <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" role="img">
        <title>\(escaped(title))</title>
        <style>
        \(style)
        @media (prefers-color-scheme: dark) {
        \(darkStyle)
        }
        </style>
        <rect width="\(width)" height="\(height)" rx="8" class="page"/>
        \(elements.joined(separator: "\n"))
        </svg>
        """
    }

    private func number(_ value: Double) -> String { Figures.fixed(value, 1) }

    private func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
