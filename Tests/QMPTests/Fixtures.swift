import Glibc
import JSON
import Linux
import QMP

/// Recordings of real QEMUs; `scripts/record-qmp-schema` updates them.
enum Fixtures {
    static let versions = ["7.2", "10.0"]

    static func schemaText(_ version: String) throws -> [UInt8] {
        try Files.readAll(path("qmp-schema-\(version).json"))
    }

    static func schema(_ version: String) throws -> QMPSchema {
        try QMPSchema(JSONValue(parsing: schemaText(version)))
    }

    private static func path(_ name: String, file: String = #filePath) -> String {
        "\(file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/"))/Fixtures/\(name)"
    }
}
