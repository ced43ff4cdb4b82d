import Glibc
import Linux
import Testing

/// A text that the product makes, kept in Fixtures so that a change of it is seen.
///
/// `RECORD_FIXTURES=1 swift test --filter HypervisorsTests` writes what is made now; read the difference before keeping it.
struct GoldenFile {
    let path: String

    init(_ name: String) {
        path = "\(Place.repository)/Tests/HypervisorsTests/Fixtures/\(name)"
    }

    /// What is kept.
    var text: String { get throws { String(decoding: try Files.readAll(path), as: UTF8.self) } }

    /// Compares with what is kept.
    func expect(_ lines: [String], sourceLocation: SourceLocation = #_sourceLocation) throws {
        let text = lines.map { $0 + "\n" }.joined()
        if getenv("RECORD_FIXTURES") != nil { try Files.replaceAtomically(path, bytes: Array(text.utf8), mode: 0o644) }
        #expect(try text == self.text, "\(path)", sourceLocation: sourceLocation)
    }
}
