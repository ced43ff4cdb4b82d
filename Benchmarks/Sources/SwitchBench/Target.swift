/// A target, the measurement, and whether the target is met.
struct Target {
    let target: String
    let measured: String
    /// Nil if the run has not measured it.
    let isMet: Bool?
}

/// The comparison of results with targets.
protocol TargetCheck {
    var all: [Target] { get }
}

extension TargetCheck {
    /// The lines for a terminal.
    var lines: [String] {
        all.map { line in
            let verdict = line.isMet.map { $0 ? "PASS" : "MISSED" } ?? "NOT MEASURED"
            return "\(verdict): \(line.target): \(line.measured)"
        }
    }

    /// The table for the document.
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
