import Glibc
import JSON
import Linux
import Testing

/// The results of a damage table's cells; for a whole run, also in docs/matrix.md.
struct DamageReport {
    struct Cell {
        let subject: String
        let damage: FileDamage
        /// Exit statuses by verb, in the table's order.
        var statuses: [(verb: String, status: Int32)] = []
        /// The problem; nil if the result is as expected.
        var problem: String?
        /// Pages verified by canaries during the cell.
        var pages = 0
    }

    /// The name of the section in docs/matrix.md.
    private let mark: String
    private var cells: [Cell] = []

    /// An interrupted whole run continues with the results stored under this name.
    init(mark: String) throws {
        self.mark = mark
        guard let path = keptAt, Files.exists(path) else { return }
        let text = String(decoding: try Files.readAll(path), as: UTF8.self)
        cells = try text.split(separator: "\n").compactMap { Cell(try JSONValue(parsing: String($0))) }
            .filter { $0.problem == nil }
    }

    private var keptAt: String? { Live.matrixFolder.map { "\($0)/\(mark).jsonl" } }

    /// Runs the cells that have not succeeded before.
    ///
    /// A failed cell may affect later ones, so the run stops there.
    mutating func run(
        _ plan: [(row: DamageTable.Row, damage: FileDamage)],
        _ play: (DamageTable.Row, FileDamage) async throws -> Cell
    ) async throws {
        for (row, damage) in plan where !has(row.subject, damage) {
            let cell = try await play(row, damage)
            #expect(cell.problem == nil, "\(row.subject) \(damage)")
            cells.append(cell)
            if let keptAt {
                let file = try Descriptor.open(keptAt, flags: O_WRONLY | O_CREAT | O_APPEND, mode: 0o644)
                try Files.write(Array("\(cell.json)\n".utf8), to: file, name: keptAt)
            }
            if cell.problem != nil { break }
        }
        if Live.isWhole { try write(plan) }
    }

    private func has(_ subject: String, _ damage: FileDamage) -> Bool {
        cells.contains { $0.subject == subject && $0.damage == damage }
    }

    // MARK: - docs/matrix.md

    private func write(_ plan: [(row: DamageTable.Row, damage: FileDamage)]) throws {
        try MatrixDocument.replace(mark, with: summary(of: plan.count) + [""] + Self.rows(cells))
    }

    private func summary(of count: Int) -> [String] {
        let wrong = cells.filter { $0.problem != nil }
        let commands = cells.map(\.statuses.count).reduce(0, +)
        let pages = cells.map(\.pages).reduce(0, +)
        return ["- Damages: \(cells.count) of \(count), with \(commands) commands; wrong: \(wrong.count)."]
            + (pages > 0 ? ["- Verified by canaries meanwhile: \(pages) pages of memory."] : [])
            + wrong.map { "- **Wrong**: `\($0.subject)` \($0.damage.rawValue): \($0.problem ?? "")" }
    }

    /// Damages of one subject with the same result share a row.
    private static func rows(_ cells: [Cell]) -> [String] {
        var rows: [(key: String, damages: [String])] = []
        for cell in cells where cell.problem == nil {
            let statuses = cell.statuses.map { "\($0.verb) \($0.status)" }.joined(separator: ", ")
            let key = "| `\(cell.subject)` | \(statuses) |"
            let index = rows.firstIndex { $0.key == key } ?? rows.endIndex
            if index == rows.endIndex { rows.append((key, [])) }
            rows[index].damages.append(cell.damage.rawValue)
        }
        return ["| what | exit statuses | damage |", "|---|---|---|"]
            + rows.map { "\($0.key) \($0.damages.joined(separator: ", ")) |" }
    }
}

extension DamageReport.Cell {
    fileprivate init?(_ json: JSONValue) {
        guard let subject = json["subject"]?.string,
            let damage = json["damage"]?.string.flatMap(FileDamage.init(rawValue:))
        else { return nil }
        self.init(subject: subject, damage: damage)
        statuses = (json["statuses"]?.array ?? []).compactMap { one in
            guard let verb = one["verb"]?.string, let status = one["status"]?.int else { return nil }
            return (verb, Int32(status))
        }
        problem = json["problem"]?.string
        pages = json["pages"]?.int ?? 0
    }

    fileprivate var json: JSONValue {
        .object(
            [
                "subject": .string(subject), "damage": .string(damage.rawValue), "pages": .integer(Int64(pages)),
                "problem": problem.map(JSONValue.string),
                "statuses": .array(
                    statuses.map { ["verb": .string($0.verb), "status": .integer(Int64($0.status))] }),
            ].compactMapValues(\.self))
    }
}
