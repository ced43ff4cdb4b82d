import Linux

/// The table in docs/recovery.md with the final place of a guest: the tests check what administrators read.
struct MatrixTable<Fault: MatrixFault>: Sendable {
    private let rows: [String: [MatrixPlace.Stage: Set<MatrixEnd>]]

    /// Parses the table below the faults' heading.
    init(document path: String) throws {
        let text = String(decoding: try Files.readAll(path), as: UTF8.self)
        guard let section = text.components(after: Fault.heading) else {
            throw MatrixUnreadable(description: "\(path) has no table of faults")
        }
        let lines = section.split(separator: "\n").filter { $0.hasPrefix("|") }.map(Self.columns)
        let stages = try (lines.first ?? []).dropFirst().map { name in
            guard let stage = MatrixPlace.Stage(rawValue: name) else {
                throw MatrixUnreadable(description: "\(path): \(name) is no stage")
            }
            return stage
        }
        var rows: [String: [MatrixPlace.Stage: Set<MatrixEnd>]] = [:]
        for line in lines.dropFirst(2) {
            guard line.count == stages.count + 1, let fault = Fault(rawValue: line[0]) else {
                throw MatrixUnreadable(description: "\(path): \(line)")
            }
            for (stage, words) in zip(stages, line.dropFirst()) {
                rows[fault.rawValue, default: [:]][stage] = try Self.ends(words, in: path)
            }
        }
        for fault in Fault.allCases where rows[fault.rawValue] == nil {
            throw MatrixUnreadable(description: "\(path): \(fault.rawValue) is missing")
        }
        self.rows = rows
    }

    /// Returns where the guest may be after a cell; empty if the fault is impossible there.
    func ends(of cell: MatrixCell<Fault>) -> Set<MatrixEnd> { rows[cell.fault.rawValue]?[cell.place.stage] ?? [] }

    /// Returns what is wrong with a final place; `nil` if it is as expected.
    func problem(_ end: MatrixEnd, at cell: MatrixCell<Fault>) -> String? {
        let expected = ends(of: cell)
        if expected.contains(end) { return nil }
        return "the guest is \(end), but should be \(expected.map(\.rawValue).sorted().joined(separator: " or "))"
    }

    private static func columns(_ line: Substring) -> [String] {
        line.split(separator: "|").map { column in
            String(column.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()).filter { $0 != "`" }
        }
    }

    /// Parses `old`, or `old, new` if a race decides; `-` for none.
    private static func ends(_ words: String, in path: String) throws -> Set<MatrixEnd> {
        if words == "-" { return [] }
        return Set(
            try words.split(separator: ",").map { word in
                guard let end = MatrixEnd(rawValue: word.filter { $0 != " " }) else {
                    throw MatrixUnreadable(description: "\(path): \(word) is no place of a guest")
                }
                return end
            })
    }
}

/// A table that cannot be parsed.
struct MatrixUnreadable: Error, CustomStringConvertible {
    let description: String
}

extension String {
    fileprivate func components(after heading: String) -> Substring? {
        guard let range = firstRange(of: heading) else { return nil }
        let rest = self[range.upperBound...]
        return rest.firstRange(of: "\n## ").map { rest[..<$0.lowerBound] } ?? rest
    }
}
