import Linux

/// A table in docs/recovery.md with the exit status of each verb when a record is damaged.
///
/// The first column names the record, the second the damage (several, separated by commas). The other columns are
/// verbs, and their cells exit statuses; `-` for a verb that is not tried.
struct DamageTable: Sendable {
    struct Row: Sendable {
        let subject: String
        let damages: [FileDamage]
        /// The verbs to try, in order, with their exit statuses.
        let verbs: [(name: String, status: Int32)]
    }

    let rows: [Row]

    init(document path: String, heading: String) throws {
        let text = String(decoding: try Files.readAll(path), as: UTF8.self)
        guard let begin = text.firstRange(of: heading) else {
            throw MatrixUnreadable(description: "\(path) has no \(heading)")
        }
        let rest = text[begin.upperBound...]
        let section = rest.firstRange(of: "\n#").map { rest[..<$0.lowerBound] } ?? rest
        let lines = section.split(separator: "\n").filter { $0.hasPrefix("|") }.map { line in
            line.split(separator: "|").map { column in
                String(column.filter { $0 != "`" }.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
            }
        }
        guard let head = lines.first, head.count > 2 else { throw MatrixUnreadable(description: "\(path): \(heading)") }
        rows = try lines.dropFirst(2).map { line in
            guard line.count == head.count else { throw MatrixUnreadable(description: "\(path): \(line)") }
            let damages = try line[1].split(separator: ",").map { word in
                guard let damage = FileDamage(rawValue: word.filter { $0 != " " }) else {
                    throw MatrixUnreadable(description: "\(path): \(word) is no damage")
                }
                return damage
            }
            let verbs = zip(head, line).dropFirst(2).compactMap { name, status in
                Int32(status).map { (name: name, status: $0) }
            }
            return Row(subject: line[0], damages: damages, verbs: verbs)
        }
    }

    /// Returns the cells to run: all with `scripts/test --matrix`, otherwise these.
    func cells(in slice: [(subject: String, damage: FileDamage)]) -> [(row: Row, damage: FileDamage)] {
        rows.flatMap { row in row.damages.map { (row: row, damage: $0) } }.filter { row, damage in
            Live.isWhole || slice.contains { $0.subject == row.subject && $0.damage == damage }
        }
    }
}

extension Live {
    static let recoveryDocument = "\(packageRoot)/docs/recovery.md"
}
