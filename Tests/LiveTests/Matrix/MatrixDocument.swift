import Linux

/// docs/matrix.md, which has a marked section for each matrix.
enum MatrixDocument {
    private static let path = "\(Live.packageRoot)/docs/matrix.md"

    /// Replaces a section.
    static func replace(_ section: String, with lines: [String]) throws {
        let mark = "<!-- \(section) -->"
        let parts = String(decoding: try Files.readAll(path), as: UTF8.self).split(separator: mark)
        guard parts.count == 3 else { throw MatrixUnreadable(description: "\(path) has no marks \(mark)") }
        let text = "\(parts[0])\(mark)\n\n\(lines.joined(separator: "\n"))\n\n\(mark)\(parts[2])"
        try Files.replaceAtomically(path, bytes: Array(text.utf8), mode: 0o644)
    }
}
