/// Something that was promised, what was measured of it, and whether the one keeps the other.
struct Target {
    let target: String
    let measured: String
    /// Nil where the run has not measured what it takes.
    let isMet: Bool?
}

/// What a benchmark's results are held against.
protocol TargetCheck {
    var all: [Target] { get }
}

extension TargetCheck {
    /// For a terminal.
    var lines: [String] {
        all.map { line in
            let verdict = line.isMet.map { $0 ? "PASS" : "MISSED" } ?? "NOT MEASURED"
            return "\(verdict): \(line.target): \(line.measured)"
        }
    }

    /// For the document.
    var table: TextTable {
        var table = TextTable(header: ["target", "measured", "met"], words: 3)
        for line in all {
            table.rows.append([
                line.target, line.measured, line.isMet.map { $0 ? "yes" : "**no**" } ?? "not measured",
            ])
        }
        return table
    }
}
