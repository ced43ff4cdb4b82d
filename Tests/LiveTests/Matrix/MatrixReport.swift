/// A section of docs/matrix.md with every cell that was run, and its result.
struct MatrixReport<Fault: MatrixFault> {
    let results: [MatrixResult<Fault>]

    /// Writes the section.
    func write() throws { try MatrixDocument.replace("\(Fault.self)", with: lines) }

    private var lines: [String] { summary + [""] + rows }

    private var summary: [String] {
        let wrong = results.filter { $0.problem != nil }
        let ends = [MatrixEnd.old, .new, .lost].map { end in
            "\(end): \(results.count { $0.end == end })"
        }
        var lines = [
            "- Cells run: \(results.count), in \(Int(results.map(\.seconds).reduce(0, +)) / 60) minutes; wrong: \(wrong.count).",
            "- Where the guest was in the end: \(ends.joined(separator: ", ")).",
        ]
        if sum(\.looks) > 0 {
            lines.append(
                "- Looks at the vCPUs of both sides: \(sum(\.looks)); one that ran: \(sum(\.runs)), after the other had run: "
                    + "\(results.count { $0.isDoubleRun }).")
        }
        lines.append(
            "- Verified by canaries meanwhile: \(sum(\.pages)) pages of memory, \(sum(\.records)) disk records; anomalies: "
                + "\(sum(\.anomalies)).")
        return lines + wrong.map { "- **Wrong**: `\($0.cell)`: \($0.problem ?? "")" }
    }

    private func sum(_ figure: KeyPath<MatrixResult<Fault>, Int>) -> Int {
        results.map { $0[keyPath: figure] }.reduce(0, +)
    }

    private var rows: [String] {
        let faults = Array(Fault.allCases)
        let head = [
            "| place | \(faults.map { "`\($0.rawValue)`" }.joined(separator: " | ")) |",
            "|\(String(repeating: "---|", count: faults.count + 1))",
        ]
        return head
            + Fault.places.map { place in
                let ends = faults.map { fault in
                    results.first { $0.cell == MatrixCell(fault: fault, place: place) }.map(Self.word) ?? ""
                }
                return "| \(place.name) | \(ends.joined(separator: " | ")) |"
            }
    }

    private static func word(_ result: MatrixResult<Fault>) -> String {
        result.problem == nil ? result.end?.rawValue ?? "?" : "**wrong**"
    }
}
