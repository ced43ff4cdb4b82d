import Foundation

/// Reads the repository's files as text.
enum SourceTree {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    struct File {
        /// The path relative to the root: `Sources/QMP/QMPClient.swift`.
        let path: String
        let lines: [Substring]

        /// The folder below Sources or Tests: the module.
        var room: String { path.split(separator: "/").dropFirst().first.map { String($0) } ?? "" }

        /// The modules that it imports, with line numbers.
        var imports: [(module: String, line: Int)] {
            lines.enumerated().compactMap { index, line in
                let words = line.split(separator: " ").filter { !$0.hasPrefix("@") }
                let access = ["public", "package", "internal", "fileprivate", "private"]
                let rest = words.drop { access.contains(String($0)) }
                guard rest.first == "import" else { return nil }
                // `import struct M.Name` imports from M as well.
                let kinds = ["struct", "class", "enum", "protocol", "typealias", "func", "let", "var"]
                guard let name = rest.dropFirst().drop(while: { kinds.contains(String($0)) }).first else { return nil }
                return (String(name.prefix { $0 != "." && $0 != ";" }), index + 1)
            }
        }
    }

    /// Returns the files below a folder with one of these endings.
    static func files(in folder: String, endings: Set<String>) throws -> [File] {
        let base = root.appendingPathComponent(folder)
        let names = try FileManager.default.subpathsOfDirectory(atPath: base.path)
        return try names.sorted().compactMap { name in
            guard let ending = name.split(separator: ".").last, endings.contains(String(ending)) else { return nil }
            let text = try String(contentsOf: base.appendingPathComponent(name), encoding: .utf8)
            return File(path: "\(folder)/\(name)", lines: text.split(separator: "\n", omittingEmptySubsequences: false))
        }
    }

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
    }

    static func folders(in folder: String) throws -> [String] {
        let base = root.appendingPathComponent(folder)
        return try FileManager.default.contentsOfDirectory(atPath: base.path).filter { name in
            var isFolder: ObjCBool = false
            let exists = FileManager.default.fileExists(
                atPath: base.appendingPathComponent(name).path, isDirectory: &isFolder
            )
            return exists && isFolder.boolValue
        }
    }
}
