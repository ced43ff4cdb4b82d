import JSON
import Linux
import Testing

/// What was recorded from a real QEMU.
enum Fixture {
    /// The text of a file in Fixtures.
    static func text(_ name: String) throws -> String {
        let here = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return String(decoding: try Files.readAll("/\(here)/Fixtures/\(name)"), as: UTF8.self)
    }

    /// The JSON in a file of Fixtures.
    static func json(_ name: String) throws -> JSONValue {
        try JSONValue(parsing: try text(name))
    }
}
