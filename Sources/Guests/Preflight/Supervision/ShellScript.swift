/// Determines from the words of a shell script what it does when one of its commands ends.
///
/// This is not a parser of the shell's language. It distinguishes a loop around a command from a command that runs
/// once; if it cannot, it reports that the command may run again.
struct ShellScript {
    /// A word, or a separator of commands: `;`, `&`, `|`, a newline, parentheses.
    private let tokens: [String]

    init(_ text: String) {
        tokens = Self.tokens(String(text.prefix(1 << 20)).replacing("\\\n", with: " "))
    }

    /// Returns whether one of these commands is, or may be, run again when it ends.
    ///
    /// - Parameter isCommand: tells whether a word starts the process that the shell waits for.
    /// - Returns: true also if no such word is found and there is a loop.
    func mayRunAgain(_ isCommand: (String) -> Bool) -> Bool {
        if startsItselfAgain { return true }
        let loops = loopDepths
        let places = tokens.indices.filter { isCommand(tokens[$0]) && beginsCommand($0) }
        // The script may use another name for the command (a variable, a function), so any loop may contain it.
        guard !places.isEmpty, !definesFunctions else {
            return tokens.contains { ["while", "until"].contains($0) }
        }
        let waits = tokens.indices.contains { tokens[$0] == "wait" && loops[$0] > 0 }
        return places.contains { loops[$0] > 0 && (!isInBackground($0) || waits) }
    }

    /// The number of loops around each token.
    private var loopDepths: [Int] {
        var depth = 0
        return tokens.map { token in
            switch token {
            // The condition runs repeatedly as well.
            case "while", "until": depth += 1
            case "for", "select": depth += 1
            case "done": depth = max(0, depth - 1)
            default: break
            }
            return depth
        }
    }

    /// Returns whether a word is a command and not an argument: only prefixes precede it in its command.
    private func beginsCommand(_ index: Int) -> Bool {
        guard !tokens[index].contains("=") else { return false }
        let start = tokens[..<index].lastIndex { Self.separators.contains($0) }.map { $0 + 1 } ?? 0
        return tokens[start..<index].allSatisfy { word in
            Self.prefixes.contains(word) || word.hasPrefix("-") || word.contains("=") || word.allSatisfy(\.isNumber)
        }
    }

    private static let prefixes: Set<String> = [
        "do", "then", "else", "elif", "if", "while", "until", "!", "exec", "sudo", "doas", "nohup", "setsid", "nice",
        "ionice", "env", "time", "timeout", "taskset", "numactl", "chrt", "setpriv", "unshare", "command", "eval",
        "builtin",
        "stdbuf", "strace", "prlimit",
    ]

    private func isInBackground(_ index: Int) -> Bool {
        let end = tokens[index...].firstIndex { Self.separators.contains($0) }
        return end.map { tokens[$0] == "&" } ?? false
    }

    private var definesFunctions: Bool {
        tokens.contains("function") || zip(tokens, tokens.dropFirst()).contains { $0 == "(" && $1 == ")" }
    }

    private var startsItselfAgain: Bool {
        zip(tokens, tokens.dropFirst()).contains { ["exec", "nohup", "setsid"].contains($0) && $1 == "$0" }
    }

    private static let separators: Set<String> = [";", "&", "&&", "|", "||", "\n", "(", ")", "{", "}"]

    /// Returns words without their quotes and comments, and separators.
    private static func tokens(_ text: String) -> [String] {
        var tokens: [String] = []
        var word = ""
        var quote: Character?
        var isComment = false
        func endWord() {
            if !word.isEmpty { tokens.append(word) }
            word = ""
        }
        for character in text {
            if isComment {
                guard character == "\n" else { continue }
                isComment = false
            }
            if let open = quote {
                if character == open { quote = nil } else { word.append(character) }
                continue
            }
            switch character {
            case "'", "\"": quote = character
            case "#" where word.isEmpty: isComment = true
            case " ", "\t", "\r": endWord()
            case ";", "\n", "(", ")":
                endWord()
                tokens.append(String(character))
            case "&", "|":
                endWord()
                // `&&` and `||` are one separator each.
                if tokens.last == String(character) {
                    tokens[tokens.count - 1] += String(character)
                } else {
                    tokens.append(String(character))
                }
            default: word.append(character)
            }
        }
        endWord()
        return tokens
    }
}
