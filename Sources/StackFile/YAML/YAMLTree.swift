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
