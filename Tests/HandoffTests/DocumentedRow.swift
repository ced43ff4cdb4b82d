import Foundation
import Handoff
import Testing

/// A row of the recovery table in docs/state-machine.md.
struct DocumentedRow: Sendable, CustomTestStringConvertible {
    let number: Int
    private let recorded: Set<String>
    private let old: Set<String>
    private let new: Set<String>
    private let decision: String

    /// In the order of the document; empty if it cannot be read.
    static let all: [DocumentedRow] = {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let document = try? String(contentsOf: root.appending(path: "docs/state-machine.md"), encoding: .utf8)
        let lines = (document ?? "").split(separator: "\n")
        let table = lines.drop { !$0.hasPrefix("| on record |") }.dropFirst(2).prefix { $0.hasPrefix("|") }
        return table.enumerated().compactMap(DocumentedRow.init)
    }()

    private init?(number: Int, line: Substring) {
        let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        guard cells.count == 5 else { return nil }
        self.number = number
        (recorded, old, new) = (Self.names(in: cells[0]), Self.names(in: cells[1]), Self.names(in: cells[2]))
        decision = cells[3]
    }

    private static func names(in cell: String) -> Set<String> {
        Set(cell.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) })
    }

    var testDescription: String {
        let columns = [recorded, old, new].map { $0.sorted().joined(separator: "/") }
        return (columns + [decision]).joined(separator: ", ")
    }

    func fits(_ one: RecoveryCase) -> Bool {
        func names(_ cell: Set<String>, _ name: String) -> Bool { cell == ["any"] || cell.contains(name) }
        return names(recorded, "\(one.recorded)") && names(old, "\(one.old)") && names(new, "\(one.new)")
    }

    func says(_ decided: RecoveryDecision, guestRan: Bool) -> Bool {
        switch (decision, decided) {
        case ("finished", .finished), ("lost", .lost), ("look", .mustLook): true
        case ("keep old", .keepOld(let resume)), ("keep new", .keepNew(let resume)): !resume
        case ("keep old, resume if it ran", .keepOld(let resume)), ("keep new, resume if it ran", .keepNew(let resume)):
            resume == guestRan
        default: false
        }
    }
}
