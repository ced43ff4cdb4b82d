internal import Yams

extension YAMLTree {
    /// The most parts of a document; an alias counts as all that it stands for.
    private static let partLimit = 100_000
    /// How deep parts may nest; a stack file needs eight levels.
    private static let depthLimit = 16

    /// Reads a text with exactly one document.
    static func read(_ bytes: [UInt8]) throws(Failure) -> YAMLTree {
        let root: Node?
        do {
            root = try compose(yaml: try text(bytes))
        } catch let failure as Failure {
            throw failure
        } catch let error as YamlError {
            throw Failure(error)
        } catch {
            throw Failure(line: nil, column: nil, "\(error)", remedy: "Write it as docs/stack-file.md shows.")
        }
        guard let root else {
            throw Failure(
                line: nil, column: nil, "it is empty", remedy: "Begin with docs/stack-file.md's example.")
        }
        var parts = 0
        return try YAMLTree(root, depth: 0, parts: &parts)
    }

    private static func text(_ bytes: [UInt8]) throws(Failure) -> String {
        if let text = String(validating: bytes, as: UTF8.self) { return text }
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let bad = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil }
        throw Failure(
            line: bad.map { $0 + 1 }, column: nil, "it is not UTF-8",
            remedy: "Save it as UTF-8: `iconv -t UTF-8` converts it.")
    }

    private init(_ node: Node, depth: Int, parts: inout Int) throws(Failure) {
        (line, column) = node.mark.map { ($0.line, $0.column) } ?? (1, 1)
        parts += 1
        guard depth <= Self.depthLimit, parts <= Self.partLimit else {
            throw Failure(
                line: line, column: column, "too much nests here",
                remedy: "Write it as docs/stack-file.md shows; an alias counts as all that it stands for.")
        }
        switch node {
        case .scalar(let scalar):
            content = .scalar(scalar.string, isPlain: scalar.style == .plain)
        case .sequence(let sequence):
            var elements: [YAMLTree] = []
            for element in sequence {
                elements.append(try YAMLTree(element, depth: depth + 1, parts: &parts))
            }
            content = .sequence(elements)
        case .mapping(let mapping):
            var pairs: [(key: YAMLTree, value: YAMLTree)] = []
            for (key, value) in mapping {
                pairs.append(
                    (
                        try YAMLTree(key, depth: depth + 1, parts: &parts),
                        try YAMLTree(value, depth: depth + 1, parts: &parts)
                    ))
            }
            content = .mapping(pairs)
        case .alias:
            content = .scalar("", isPlain: true)
        }
    }
}

extension YAMLTree.Failure {
    init(_ error: YamlError) {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            let message = [context.map { "\($0.text) (line \($0.mark.line))" }, problem].compactMap(\.self)
            self.init(
                line: mark.line, column: mark.column, "no YAML: " + message.joined(separator: ": "),
                remedy: "Look at the indentation (spaces, no tabs) and the quotes here and in the line above.")
        case .duplicatedKeysInMapping(let duplicates, let context):
            let keys = duplicates.map { "`\($0)`" }.joined(separator: ", ")
            self.init(
                line: context.mark.line, column: context.mark.column, "given more than once: \(keys)",
                remedy: "Keep one of them.")
        case .reader(let problem, let offset, _, let yaml):
            let before = offset.map { yaml.prefix($0) }
            let line = before.map { $0.count { $0.isNewline } + 1 }
            self.init(
                line: line, column: nil, "no YAML: \(problem)",
                remedy: "Remove the character, or write it as an escape.")
        default:
            self.init(line: nil, column: nil, "no YAML: \(error)", remedy: "Write it as docs/stack-file.md shows.")
        }
    }
}
