/// A part of a YAML text that knows where it stands.
struct YAMLTree {
    /// What the part is.
    indirect enum Content {
        /// A word, number or text; plain when it stands without quotes.
        case scalar(String, isPlain: Bool)
        /// A list.
        case sequence([YAMLTree])
        /// Keys with values, in the file's order; a key may be there twice.
        case mapping([(key: YAMLTree, value: YAMLTree)])
    }

    /// What it is.
    let content: Content
    /// The line, from 1.
    let line: Int
    /// The column, from 1.
    let column: Int

    /// Whether there is nothing behind a key: no text at all, `~` or `null`.
    var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(text)
    }

    /// Whether it is nothing, or a list of nothing.
    var isEmpty: Bool {
        if case .sequence(let elements) = content { elements.isEmpty } else { isNull }
    }

    /// What it is, in words for an error.
    var kind: String {
        switch content {
        case .scalar(let text, _): isNull ? "nothing" : "`\(text.count > 40 ? text.prefix(40) + "…" : text[...])`"
        case .sequence: "a list"
        case .mapping: "keys with values"
        }
    }
}

/// Why a text is no tree.
struct YAMLFailure: Error {
    /// What is wrong, and where.
    let problem: StackProblem

    init(line: Int?, column: Int?, _ message: String, remedy: String) {
        problem = StackProblem(line: line, column: column, message: message, remedy: remedy)
    }
}
