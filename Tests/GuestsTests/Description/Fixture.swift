import JSON
import Linux
import Testing

/// Recordings of a real QEMU.
enum Fixture {
    /// Returns the text of a file in Fixtures.
    static func text(_ name: String) throws -> String {
        let here = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return String(decoding: try Files.readAll("/\(here)/Fixtures/\(name)"), as: UTF8.self)
    }

    /// Returns the JSON in a file in Fixtures.
    static func json(_ name: String) throws -> JSONValue {
        try JSONValue(parsing: try text(name))
    }
}
