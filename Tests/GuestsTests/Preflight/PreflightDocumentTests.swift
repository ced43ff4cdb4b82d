import Linux
import Testing

@testable import Guests

@Suite("docs/preflight.md and the names of findings")
struct PreflightDocumentTests {
    private static let root = "/" + #filePath.split(separator: "/").dropLast(4).joined(separator: "/")

    private func text(_ path: String) throws -> String {
        String(decoding: try Files.readAll("\(Self.root)/\(path)"), as: UTF8.self)
    }

    /// Reads the names from the source: they are constants of a type that does not list them.
    private func declared() throws -> [String] {
        let parts = try text("Sources/Guests/Findings.swift").split(separator: "FindingID(rawValue: \"").dropFirst()
        return parts.compactMap { $0.split(separator: "\"").first.map(String.init) }
    }

    /// Returns the rows of the tables: name, finding, reason, remedy.
    private func rows() throws -> [[Substring]] {
        try text("docs/preflight.md").split(separator: "\n").filter { $0.hasPrefix("| `") }.map { line in
            line.split(separator: "|").map { $0.drop { $0 == " " } }.map { text in
                text.last == " " ? text.dropLast() : text
            }
        }
    }

    @Test("Every name has one row, and every row a name")
    func names() throws {
        let documented = try rows().map { String($0[0].dropFirst().dropLast()) }
        #expect(documented.sorted() == (try declared()).sorted())
    }

    @Test("Every row says what, why and what to do")
    func cells() throws {
        for row in try rows() {
            #expect(row.count == 4, "\(row[0])")
            #expect(row.allSatisfy { $0.count > 8 }, "\(row[0])")
        }
    }
}
