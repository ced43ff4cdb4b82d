import Glibc
import JSON

/// The capabilities of a standard stream.
struct Terminal: Sendable {
    /// Whether the stream is a terminal on which lines can be redrawn.
    let isInteractive: Bool
    /// Whether to print colours.
    let hasColour: Bool

    static let standardOutput = Terminal(descriptor: STDOUT_FILENO)
    static let standardError = Terminal(descriptor: STDERR_FILENO)

    private init(descriptor: Int32) {
        isInteractive = isatty(descriptor) == 1 && Self.environment("TERM") != "dumb"
        // https://no-color.org: set and not empty means no colour.
        hasColour = isInteractive && Self.environment("NO_COLOR") == nil
    }

    enum Colour: String {
        case red = "31"
        case green = "32"
        case yellow = "33"
        case bold = "1"
        case faint = "2"
    }

    func paint(_ text: TerminalText, _ colour: Colour) -> TerminalText {
        hasColour ? text.wrapped(in: "\u{1B}[\(colour.rawValue)m", "\u{1B}[0m") : text
    }

    func paint(_ words: String, _ colour: Colour) -> TerminalText { paint(TerminalText(words), colour) }

    /// Erases the current line and moves the cursor to its start.
    static let restartLine: TerminalText = "\r\u{1B}[K"

    private static func environment(_ name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }
}

/// Writes to the standard streams without buffering, so that the output is never behind the work.
enum Console {
    static func out(_ line: TerminalText) { write(raw: line.raw + "\n", to: STDOUT_FILENO) }

    /// Prints JSON on one line, so that a line is a document; `pretty` indents it if standard output is a terminal.
    static func out(json: JSONValue, pretty: Bool = false) {
        write(raw: json.encoded(pretty: pretty && Terminal.standardOutput.isInteractive) + "\n", to: STDOUT_FILENO)
    }

    static func error(_ line: TerminalText) { write(raw: line.raw + "\n", to: STDERR_FILENO) }

    static func write(_ text: TerminalText, to descriptor: Int32) { write(raw: text.raw, to: descriptor) }

    private static func write(raw text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while !rest.isEmpty {
                let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
                // If the reader has exited, the output stops but the work continues.
                if written < 0, errno != EINTR { return }
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(max(written, 0)))
            }
        }
    }
}

/// Standard input, output and error.
enum StandardStreams {
    /// Opens `/dev/null` for each standard stream that is closed at startup.
    ///
    /// Otherwise the next file or socket to be opened would get that descriptor, and our output would go into it.
    static func complete() {
        for number in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(number, F_GETFD) < 0 {
            // open() returns the lowest free descriptor, which is this one.
            let opened = open("/dev/null", O_RDWR)
            if opened >= 0, opened != number { close(opened) }
        }
    }
}
