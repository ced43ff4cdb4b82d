/// The style of charts, on light and on dark pages.
enum ChartStyle {
    enum Page { case light, dark }

    /// The colours that distinguish methods.
    enum Colour { case blue, grey, orange }

    /// Returns CSS rules.
    ///
    /// - Parameters:
    ///   - page: The kind of page.
    ///   - marks: The colour of each class of marks, in order.
    /// - Returns: The rules.
    static func css(_ page: Page, marks: [(name: String, colour: Colour)]) -> String {
        let isLight = page == .light
        let (paper, ink, faint, grid) =
            isLight ? ("#ffffff", "#1f2328", "#59636e", "#d1d9e0") : ("#0d1117", "#f0f6fc", "#9198a1", "#3d444d")
        let common = """
            .page { fill: \(paper) }
            text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: \(ink) }
            .title { font-size: 17px; font-weight: 600 }
            .strong { font-weight: 600 }
            .small { font-size: 11px; fill: \(faint) }
            .grid { stroke: \(grid); stroke-width: 1 }
            .fine { stroke-opacity: 0.35 }
            .range { stroke-width: 2 }
            """
        let rules = marks.map { name, colour in
            let code = colour.code(isLight: isLight)
            return ".\(name).dot { fill: \(code) } .\(name).range { stroke: \(code) }"
        }
        return ([common] + rules).joined(separator: "\n")
    }
}

extension ChartStyle.Colour {
    fileprivate func code(isLight: Bool) -> String {
        switch self {
        case .blue: isLight ? "#0969da" : "#58a6ff"
        case .grey: isLight ? "#6e7781" : "#9198a1"
        case .orange: isLight ? "#bc4c00" : "#f0883e"
        }
    }
}
