/// A part of a YAML text that knows where it stands.
struct YAMLTree {
    /// What the part is.
    indirect enum Content {
        /// A word, number or text; plain when it stands without quotes.
        case scalar(String, isPlain: Bool)
        /// A list.
        case sequence([YAMLTree])
        /// Keys with values, in the file's order.
        case mapping([(key: YAMLTree, value: YAMLTree)])
    }

    /// What it is.
    let content: Content
    /// The line, from 1.
    let line: Int
    /// The column, from 1.
    let column: Int

    /// Why a text is no tree.
    struct Failure: Error {
        let problems: [StackProblem]

        init(line: Int?, column: Int?, _ message: String, remedy: String) {
            problems = [StackProblem(line: line, column: column, message: message, remedy: remedy)]
        }
    }

    /// Whether there is nothing behind a key: no text at all, `~` or `null`.
    var isNull: Bool {
        if case .scalar(let text, isPlain: true) = content {
            ["", "~", "null", "Null", "NULL"].contains(text)
        } else {
            false
        }
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
