/// The drawing of the house in docs/architecture.md, made from the code.
///
/// An arrow means "uses". Arrows that follow from others are left out.
struct HouseDrawing {
    /// What uses what.
    typealias Uses = [String: Set<String>]

    /// The modules of Sources, by their imports; C libraries are left out.
    static func modules() throws -> Uses {
        var uses: Uses = [:]
        for file in try SourceTree.files(in: "Sources", endings: ["swift"]) {
            uses[file.room, default: []].formUnion(file.imports.map(\.module))
        }
        return uses.mapValues { $0.filter { uses[$0] != nil } }
    }

    /// The folders of a module, by the types of each that the others name.
    static func folders(of module: String) throws -> Uses {
        let files = try SourceTree.files(in: "Sources/\(module)", endings: ["swift"])
        func folder(_ file: SourceTree.File) -> String { String(file.path.split(separator: "/")[2]) }
        var owners: [Substring: String] = [:]
        for file in files {
            for name in file.lines.compactMap(declaredType) { owners[name] = folder(file) }
        }
        var uses: Uses = [:]
        for file in files {
            let words = file.lines.flatMap { code($0).split { !$0.isLetter && !$0.isNumber } }
            let used = Set(words.compactMap { owners[$0] }).subtracting([folder(file)])
            uses[folder(file), default: []].formUnion(used)
        }
        return uses
    }

    /// The type that a line declares at the top level of its file.
    private static func declaredType(_ line: Substring) -> Substring? {
        let modifiers = ["public", "package", "private", "fileprivate", "internal", "final", "indirect"]
        let words = line.prefix { $0 != "{" }.split { !$0.isLetter && !$0.isNumber && $0 != "@" }
        guard line.first?.isWhitespace == false else { return nil }
        let rest = words.drop { modifiers.contains(String($0)) || $0.hasPrefix("@") }
        let kinds = ["struct", "class", "enum", "protocol", "actor", "typealias"]
        guard let kind = rest.first, kinds.contains(String(kind)) else { return nil }
        return rest.dropFirst().first
    }

    /// A line without its comment.
    private static func code(_ line: Substring) -> Substring {
        line.ranges(of: "//").first.map { line[..<$0.lowerBound] } ?? line
    }

    /// Without the arrows that lead where others lead too.
    static func reduced(_ uses: Uses) -> Uses {
        uses.mapValues { direct in
            direct.filter { target in !direct.contains { $0 != target && reach(of: $0, in: uses).contains(target) } }
        }
    }

    /// Everything that a name uses, directly or through others; the name itself if it is part of a cycle.
    static func reach(of name: String, in uses: Uses) -> Set<String> {
        var (found, open): (Set<String>, [String]) = ([], Array(uses[name] ?? []))
        while let next = open.popLast() {
            if found.insert(next).inserted { open += uses[next] ?? [] }
        }
        return found
    }

    /// As Mermaid draws it.
    static func mermaid(_ uses: Uses) -> String {
        let arrows = uses.sorted { $0.key < $1.key }.flatMap { name, targets in
            targets.sorted().compactMap { target -> String? in
                guard uses[target]?.contains(name) == true else { return "    \(name) --> \(target)" }
                return name < target ? "    \(name) <--> \(target)" : nil
            }
        }
        return (["```mermaid", "flowchart TD"] + arrows + ["```"]).joined(separator: "\n")
    }
}
