import Glibc
import Linux
import Testing

/// A generated text kept in Fixtures, so that changes to it are noticed.
///
/// `RECORD_FIXTURES=1 swift test --filter VirtualMachinesTests` writes the current text; review the difference before
/// committing it.
struct GoldenFile {
    let path: String

    init(_ name: String) {
        path = "\(Place.repository)/Tests/VirtualMachinesTests/Fixtures/\(name)"
    }

    /// The recorded text.
    var text: String { get throws { String(decoding: try Files.readAll(path), as: UTF8.self) } }

    /// Compares with the recorded text.
    func expect(_ lines: [String], sourceLocation: SourceLocation = #_sourceLocation) throws {
        let text = lines.map { $0 + "\n" }.joined()
        if getenv("RECORD_FIXTURES") != nil { try Files.replaceAtomically(path, bytes: Array(text.utf8), mode: 0o644) }
        #expect(try text == self.text, "\(path)", sourceLocation: sourceLocation)
    }
}
