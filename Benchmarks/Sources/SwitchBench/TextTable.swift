/// A table, for a terminal or for Markdown.
struct TextTable {
    let header: [String]
    var rows: [[String]] = []
    /// How many columns, from the left, hold words; the others hold numbers.
    var words = 1

    /// Columns of a width, two blanks between.
    var text: String {
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        return ([header] + rows).map { row in
            row.indices.map { column in
                let padding = String(repeating: " ", count: widths[column] - row[column].count)
                return column < words ? row[column] + padding : padding + row[column]
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    /// GitHub's dialect.
    var markdown: String {
        let rule = header.indices.map { $0 < words ? "---" : "--:" }
        return ([header, rule] + rows).map { "| \($0.joined(separator: " | ")) |" }.joined(separator: "\n")
    }
}

/// How durations are written.
enum Figures {
    /// Milliseconds with as many digits as say something: `0.042`, `3.41`, `87.2`, `1240`.
    static func milliseconds(_ microseconds: Int?) -> String {
        guard let microseconds else { return "-" }
        let value = Double(microseconds) / 1000
        let digits = value < 1 ? 3 : value < 10 ? 2 : value < 100 ? 1 : 0
        return fixed(value, digits)
    }

    /// A number with so many digits after the point.
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
    /// Milliseconds for a label in a picture: `3.4`, `87`, `1240`.
    static func short(_ microseconds: Int) -> String {
        let value = Double(microseconds) / 1000
        return fixed(value, value < 10 ? 1 : 0)
    }

    /// Median and longest in milliseconds.
    static func spread(_ microseconds: [Int]) -> String {
        let distribution = Distribution(microseconds)
        guard let median = distribution.percentile(50) else { return "-" }
        return "\(milliseconds(median)) / \(milliseconds(distribution.maximum))"
    }

    /// What did not come to its end, a line each, for a document; nothing where all did.
    static func failures(_ texts: [String]) -> String {
        let lines = texts.map { text in "- " + (text.split(whereSeparator: \.isNewline).first.map(String.init) ?? "") }
        return lines.isEmpty ? "" : "\n\nFailed in this run:\n\n" + lines.joined(separator: "\n")
    }
}
