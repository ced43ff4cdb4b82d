/// A table with columns as wide as their widest cell, two spaces apart; control characters in cells are escaped.
struct TextTable {
    private var rows: [[String]]

    init(header: [String]) { rows = [header] }

    mutating func append(_ row: [String]) { rows.append(row.map { TerminalText($0).raw }) }

    func print(on terminal: Terminal) {
        for line in lines(on: terminal) { Console.out(line) }
    }

    func lines(on terminal: Terminal) -> [TerminalText] {
        lines.enumerated().map { index, line in index == 0 ? terminal.paint("\(line)", .bold) : "\(line)" }
    }

    var lines: [String] {
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            let cells = zip(row, widths).map { cell, width in cell + String(repeating: " ", count: width - cell.count) }
            let line = cells.joined(separator: "  ")
            return String(line[..<(line.lastIndex { $0 != " " }.map(line.index(after:)) ?? line.startIndex)])
        }
    }
}

/// Formats figures for text output.
enum Numbers {
    /// Returns milliseconds with two decimals below 1, one below 100, else none: `0.31 ms`, `4.1 ms`, `182 ms`.
    static func milliseconds(_ value: Double) -> String {
        "\(decimal(value, places: value < 1 ? 2 : value < 100 ? 1 : 0)) ms"
    }

    static func milliseconds(microseconds: Int) -> String { milliseconds(Double(microseconds) / 1000) }

    /// Returns a number with a fixed count of decimals, independent of the locale.
    static func decimal(_ value: Double, places: Int) -> String {
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let scaled = (value * scale).rounded()
        guard scaled.isFinite, abs(scaled) < 1e15 else { return "\(value)" }
        let digits = String(Int(abs(scaled)))
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        let sign = scaled < 0 ? "-" : ""
        return places == 0 ? sign + padded : "\(sign)\(padded.dropLast(places)).\(padded.suffix(places))"
    }
}
