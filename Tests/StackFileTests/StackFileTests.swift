import Linux
import Testing

/// Tests of stack files.
@Suite struct StackFileTests {
    /// Reads a file of the repository, by its path from the root.
    static func text(_ path: String) throws -> String {
        String(decoding: try Files.readAll("\(repository)/\(path)"), as: UTF8.self)
    }

    /// The repository's root.
    static let repository = #filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 }
}
