import Linux

/// A row of the table of damages in docs/recovery.md: what is damaged, how, and the exit status of each verb then.
struct DamageRow: Sendable, CustomStringConvertible {
    static let heading = "## Damaged records and files of guests"
    /// The verbs, in the order of the table's columns, in which they are run.
    static let verbs = ["list", "plan", "refresh", "status", "history", "recover"]

    let object: String
    let damage: String
    /// By verb.
    let statuses: [Int32]

    var description: String { "\(object) \(damage)" }

    /// Reads the rows below the heading.
    static func all(in path: String) throws -> [DamageRow] {
        let text = String(decoding: try Files.readAll(path), as: UTF8.self)
        guard let range = text.firstRange(of: heading) else {
            throw MatrixUnreadable(description: "\(path) has no table of damages")
        }
        let section = text[range.upperBound...].split(separator: "\n## ").first ?? ""
        let lines = section.split(separator: "\n").filter { $0.hasPrefix("| `") }
        return try lines.map { line in
            let columns = line.split(separator: "|").map { $0.filter { $0 != " " && $0 != "`" } }
            let statuses = columns.dropFirst(2).compactMap { Int32($0) }
            guard columns.count == verbs.count + 2, statuses.count == verbs.count else {
                throw MatrixUnreadable(description: "\(path): \(line)")
            }
            return DamageRow(object: columns[0], damage: columns[1], statuses: statuses)
        }
    }
}
