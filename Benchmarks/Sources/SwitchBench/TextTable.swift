/// A table for a terminal or for Markdown.
struct TextTable {
    let header: [String]
    var rows: [[String]] = []
    /// The number of leading columns that contain text; the others contain numbers.
    var words = 1

    /// The table with aligned columns, separated by two spaces.
    var text: String {
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        return ([header] + rows).map { row in
            row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return column < words ? row[column] + padding : padding + row[column]
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    /// The table in GitHub's Markdown.
    var markdown: String {
        let rule = header.indices.map { $0 < words ? "---" : "--:" }
        return ([header, rule] + rows).map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
    }
}

/// Formats durations and numbers.
enum Figures {
    /// Formats milliseconds with significant digits: `0.042`, `3.41`, `87.2`, `1240`.
    static func milliseconds(_ microseconds: Int?) -> String {
        guard let microseconds else { return "-" }
        let value = Double(microseconds) / 1000
        let digits = value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0
        return fixed(value, digits)
    }

    /// Formats a number with a fixed number of decimals.
    static func fixed(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int((value * scale).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let fraction = "\(abs(scaled) % Int(scale))"
        let zeros = String(repeating: "0", count: digits - fraction.count)
        return "\(scaled < 0 ? "-" : "")\(abs(scaled) / Int(scale)).\(zeros)\(fraction)"
    }
}

extension Figures {
    /// Formats milliseconds for a label in a chart: `3.4`, `87`, `1240`.
    static func short(_ microseconds: Int) -> String {
        let value = Double(microseconds) / 1000
        return fixed(value, value < 10 ? 1 : 0)
    }

    /// Formats median and maximum in milliseconds.
    static func spread(_ microseconds: [Int]) -> String {
        let distribution = Distribution(microseconds)
        guard let median = distribution.percentile(50) else { return "-" }
        return "\(milliseconds(median)) / \(milliseconds(distribution.maximum))"
    }

    /// Formats failures for a document, one a line; empty if there are none.
    static func failures(_ texts: [String]) -> String {
        let lines = texts.map { text in "- " + (text.split(whereSeparator: \.isNewline).first.map(String.init) ?? "") }
        return lines.isEmpty ? "" : "\n\nFailed in this run:\n\n" + lines.joined(separator: "\n")
    }
}
