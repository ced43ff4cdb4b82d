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
