import Glibc

/// Reads lines from a terminal, with cursor movement, erasing, history, and completion with Tab.
///
/// The keys are readline's: arrows, Home, End, Ctrl-A E U K W; Ctrl-C starts a new line, Ctrl-D ends the input.
struct LineEditor {
    /// Returns the candidates for the last word of a line.
    typealias Completer = (_ line: String) -> [String]

    private var history: [String] = []
    private var text: [Character] = []
    private var cursor = 0
    private let prompt: String
    private let complete: Completer

    init(prompt: String, complete: @escaping Completer) {
        self.prompt = prompt
        self.complete = complete
    }

    /// Reads a line; returns `nil` at the end of input.
    mutating func readLine() -> String? {
        guard let saved = Self.enterRawMode() else { return Swift.readLine() }
        defer { Self.leaveRawMode(saved) }
        (text, cursor) = ([], 0)
        var place = history.count
        redraw()
        while let key = Key.read() {
            switch key {
            case .enter: return accept()
            case .endOfInput where text.isEmpty:
                Console.write("\r\n", to: STDOUT_FILENO)
                return nil
            case .interrupt:
                Console.write("^C\r\n", to: STDOUT_FILENO)
                (text, cursor, place) = ([], 0, history.count)
            case .up where place > 0: recall(&place, by: -1)
            case .down where place < history.count: recall(&place, by: 1)
            case .tab: completeWord()
            default: edit(key)
            }
            redraw()
        }
        return nil
    }

    private mutating func accept() -> String {
        Console.write("\r\n", to: STDOUT_FILENO)
        let line = String(text)
        if !line.isEmpty, history.last != line { history.append(line) }
        return line
    }

    private mutating func recall(_ place: inout Int, by step: Int) {
        place += step
        text = place < history.count ? Array(history[place]) : []
        cursor = text.count
    }

    private mutating func edit(_ key: Key) {
        switch key {
        case .character(let character):
            text.insert(character, at: cursor)
            cursor += 1
        case .backspace where cursor > 0:
            cursor -= 1
            text.remove(at: cursor)
        case .delete where cursor < text.count, .endOfInput where cursor < text.count: text.remove(at: cursor)
        case .left where cursor > 0: cursor -= 1
        case .right where cursor < text.count: cursor += 1
        case .home: cursor = 0
        case .end: cursor = text.count
        case .eraseToBegin:
            text.removeSubrange(..<cursor)
            cursor = 0
        case .eraseToEnd: text.removeSubrange(cursor...)
        case .eraseWord: eraseWord()
        default: break
        }
    }

    private mutating func eraseWord() {
        var begin = cursor
        while begin > 0, text[begin - 1] == " " { begin -= 1 }
        while begin > 0, text[begin - 1] != " " { begin -= 1 }
        text.removeSubrange(begin..<cursor)
        cursor = begin
    }

    /// Extends the word before the cursor by what all candidates have in common; lists them if they have nothing more.
    private mutating func completeWord() {
        let line = String(text[..<cursor])
        let word = line.split(separator: " ", omittingEmptySubsequences: false).last.map(String.init) ?? ""
        let candidates = complete(line).filter { $0.hasPrefix(word) }
        guard let first = candidates.first else { return }
        let common = candidates.dropFirst().reduce(first) { agreed, next in
            String(zip(agreed, next).prefix { $0 == $1 }.map(\.0))
        }
        let ending = candidates.count == 1 && !common.hasSuffix("=") ? " " : ""
        let addition = Array(common.dropFirst(word.count) + ending)
        text.insert(contentsOf: addition, at: cursor)
        cursor += addition.count
        if candidates.count > 1, addition.isEmpty {
            Console.write("\r\n\(candidates.joined(separator: "  "))\r\n", to: STDOUT_FILENO)
        }
    }

    private func redraw() {
        let back = text.count - cursor
        let move: TerminalText = back > 0 ? "\u{1B}[\(back)D" : ""
        Console.write("\r\u{1B}[K\(prompt)\(String(text))\(move)", to: STDOUT_FILENO)
    }

    private static func enterRawMode() -> termios? {
        var settings = termios()
        guard tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        let saved = settings
        cfmakeraw(&settings)
        // Keep output processing: events are printed while a line is edited and need their carriage returns.
        settings.c_oflag |= tcflag_t(OPOST)
        return tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) == 0 ? saved : nil
    }

    private static func leaveRawMode(_ saved: termios) {
        var saved = saved
        tcsetattr(STDIN_FILENO, TCSADRAIN, &saved)
    }
}
