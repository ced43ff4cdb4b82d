internal import CYAML

/// Builds a tree from libyaml's events.
///
/// libyaml's document loader does not serve here: it keeps no position of an alias, and errors have to name one.
struct YAMLComposer: ~Copyable {
    /// The most nodes of a document, where an alias counts as all nodes that it stands for.
    ///
    /// Without this limit, ten lines of aliases to lists of aliases would exceed any memory.
    private static let partLimit = 100_000
    /// The nesting limit; a stack file needs eight levels.
    private static let depthLimit = 16

    private var events: YAMLEvents
    private var anchors: [String: (tree: YAMLTree, parts: Int)] = [:]
    private var parts = 0

    private init(_ events: consuming YAMLEvents) {
        self.events = events
    }

    /// Parses a text with exactly one document.
    ///
    /// - Parameter bytes: The text in UTF-8.
    /// - Returns: The document.
    /// - Throws: ``YAMLFailure`` at the first error.
    static func tree(of bytes: [UInt8]) throws(YAMLFailure) -> YAMLTree {
        guard String(validating: bytes, as: UTF8.self) != nil else { throw notUTF8(bytes) }
        var composer = YAMLComposer(YAMLEvents(bytes))
        return try composer.document()
    }

    private static func notUTF8(_ bytes: [UInt8]) -> YAMLFailure {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let bad = lines.firstIndex { String(validating: $0, as: UTF8.self) == nil }
        return YAMLFailure(
            line: bad.map { $0 + 1 }, column: nil, "it is not UTF-8",
            remedy: "Save it as UTF-8; `iconv -f LATIN1 -t UTF-8` converts from the most common other encoding.")
    }

    private mutating func document() throws(YAMLFailure) -> YAMLTree {
        var root: YAMLTree?
        while true {
            let event = try events.next()
            switch event.kind {
            case .streamEnd:
                if let root { return root }
                throw YAMLFailure(
                    line: nil, column: nil, "it is empty", remedy: "Begin with the example in docs/stack-file.md.")
            case .documentStart where root != nil:
                throw YAMLFailure(
                    line: event.line, column: event.column, "a second document begins here",
                    remedy: "Keep one document in a file: remove the `---` in between.")
            case .other, .documentStart:
                continue
            default:
                root = try part(event, depth: 0)
            }
        }
    }

    /// Composes the node that begins with an event.
    private mutating func part(_ event: YAMLEvent, depth: Int) throws(YAMLFailure) -> YAMLTree {
        let first = parts
        parts += 1
        try check(depth: depth, at: event)
        let content: YAMLTree.Content
        switch event.kind {
        case .alias(let name): return try aliased(name, at: event)
        case .scalar(let text, let isPlain): content = .scalar(text, isPlain: isPlain)
        case .mappingStart: content = .mapping(try pairs(depth: depth))
        default: content = .sequence(try elements(depth: depth))
        }
        let tree = YAMLTree(content: content, line: event.line, column: event.column)
        if let anchor = event.anchor { anchors[anchor] = (tree, parts - first) }
        return tree
    }

    private mutating func elements(depth: Int) throws(YAMLFailure) -> [YAMLTree] {
        var elements: [YAMLTree] = []
        while true {
            let event = try events.next()
            if event.kind == .end { return elements }
            elements.append(try part(event, depth: depth + 1))
        }
    }

    private mutating func pairs(depth: Int) throws(YAMLFailure) -> [(key: YAMLTree, value: YAMLTree)] {
        var pairs: [(key: YAMLTree, value: YAMLTree)] = []
        while true {
            let event = try events.next()
            if event.kind == .end { return pairs }
            let key = try part(event, depth: depth + 1)
            pairs.append((key, try part(try events.next(), depth: depth + 1)))
        }
    }

    /// Returns the node that an alias stands for, at the alias's position.
    private mutating func aliased(_ name: String, at event: YAMLEvent) throws(YAMLFailure) -> YAMLTree {
        guard let anchor = anchors[name] else {
            throw YAMLFailure(
                line: event.line, column: event.column, "there is no `&\(name)` above for `*\(name)`",
                remedy:
                    "Quote a text that begins with `*`, or write `&\(name)` in front of the value it stands for."
            )
        }
        parts += anchor.parts
        try check(depth: 0, at: event)
        return YAMLTree(content: anchor.tree.content, line: event.line, column: event.column)
    }

    private func check(depth: Int, at event: YAMLEvent) throws(YAMLFailure) {
        guard depth > Self.depthLimit || parts > Self.partLimit else { return }
        throw YAMLFailure(
            line: event.line, column: event.column, "the nesting is too deep here, or there are too many values",
            remedy:
                "Use at most \(Self.depthLimit) levels and \(Self.partLimit) values; an alias counts as all values it "
                + "stands for.")
    }
}

/// A node of a YAML text with its position.
struct YAMLTree {
    /// The kinds of nodes.
    indirect enum Content {
        /// A word, number or text; plain if written without quotes.
        case scalar(String, isPlain: Bool)
        /// A list.
        case sequence([YAMLTree])
        /// Keys with values, in the file's order; a key may occur twice.
        case mapping([(key: YAMLTree, value: YAMLTree)])
    }

    /// The node's content.
    let content: Content
    /// The line, from 1.
    let line: Int
    /// The column, from 1.
    let column: Int

    /// Whether a key has no value: no text at all, `~` or `null`.
    var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// Whether it is null or an empty list.
    var isEmpty: Bool {
        if case .sequence(let elements) = content { elements.isEmpty } else { isNull }
    }

    /// A description for an error message.
    var kind: String {
        switch content {
        case .scalar(let text, _): isNull ? "nothing" : "`\(text.count > 40 ? text.prefix(40) + "…" : text[...])`"
        case .sequence: "a list"
        case .mapping: "keys with values"
        }
    }
}

/// A text that cannot be parsed, and where.
struct YAMLFailure: Error {
    /// The problem.
    let problem: StackProblem

    init(line: Int?, column: Int?, _ message: String, remedy: String) {
        problem = StackProblem(line: line, column: column, message: message, remedy: remedy)
    }
}
