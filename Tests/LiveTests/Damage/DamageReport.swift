import Linux

/// What came of the cells of a table of damages, for docs/matrix.md.
struct DamageReport {
    struct Cell {
        let subject: String
        let damage: FileDamage
        /// Exit statuses by verb, in the table's order.
        var statuses: [(verb: String, status: Int32)] = []
        /// What is wrong; nil if all is as it should be.
        var problem: String?
        var pages = 0
    }

    let mark: String
    var cells: [Cell] = []

    init(mark: String) { self.mark = mark }

    /// Puts the section between its marks in the document.
    func write(to path: String) throws {
        let mark = "<!-- \(self.mark) -->"
        let parts = String(decoding: try Files.readAll(path), as: UTF8.self).split(separator: mark)
        guard parts.count == 3 else { throw MatrixUnreadable(description: "\(path) has no marks \(mark)") }
        let text = "\(parts[0])\(mark)\n\n\(lines.joined(separator: "\n"))\n\n\(mark)\(parts[2])"
        try Files.replaceAtomically(path, bytes: Array(text.utf8), mode: 0o644)
    }

    private var lines: [String] {
        let wrong = cells.filter { $0.problem != nil }
        let pages = cells.map(\.pages).reduce(0, +)
        return [
            "- Cells run: \(cells.map(\.statuses.count).reduce(0, +)), of \(cells.count) damages; wrong: \(wrong.count)."
        ] + (pages > 0 ? ["- Verified by canaries meanwhile: \(pages) pages of memory."] : [])
            + wrong.map { "- **Wrong**: `\($0.subject)` \($0.damage.rawValue): \($0.problem ?? "")" } + [
                "", "| what | damage | verbs |", "|---|---|---|",
            ]
            + cells.map { cell in
                let verbs = cell.statuses.map { "\($0.verb) \($0.status)" }.joined(separator: ", ")
                return "| `\(cell.subject)` | \(cell.damage.rawValue) | \(cell.problem == nil ? verbs : "**wrong**") |"
            }
    }
}
