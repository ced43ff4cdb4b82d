/// Text that is safe to print on a terminal: it cannot move the cursor or forge a line.
///
/// Names, paths, command lines and output of other programs are untrusted. Interpolation with `\(` and `)` escapes
/// their control characters; the program's own literals and colours are printed as they are.
struct TerminalText: Sendable, Hashable {
    /// The text; its only escape sequences are the program's own.
    private(set) var raw: String

    private init(raw: String) { self.raw = raw }

    /// Creates a text from untrusted words, with control characters escaped.
    init(_ words: some StringProtocol) { raw = Self.harmless(words) }

    static func + (first: TerminalText, second: TerminalText) -> TerminalText {
        TerminalText(raw: first.raw + second.raw)
    }

    /// Returns this text between two escape sequences.
    func wrapped(in opening: String, _ closing: String) -> TerminalText {
        TerminalText(raw: opening + raw + closing)
    }

    /// Returns untrusted words of several lines, escaped except for tabs and line breaks.
    static func lines(_ words: String) -> TerminalText {
        let lines = words.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        let parts = lines.map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).map { harmless($0) }.joined(separator: "\t")
        }
        return TerminalText(raw: parts.joined(separator: "\n"))
    }

    /// Returns the words with an escape such as `\u{1B}` for each character that controls a terminal or the text
    /// direction.
    private static func harmless(_ words: some StringProtocol) -> String {
        guard words.unicodeScalars.contains(where: isHarmful) else { return String(words) }
        return words.unicodeScalars.reduce(into: "") { text, scalar in
            if isHarmful(scalar) {
                text += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        // Controls are C0, DEL and C1; separators end a line; formats change the text direction or are invisible.
        case .control, .lineSeparator, .paragraphSeparator: true
        case .format: scalar != "\u{200C}" && scalar != "\u{200D}"
        default: false
        }
    }
}

extension TerminalText: ExpressibleByStringInterpolation {
    init(stringLiteral value: String) { raw = value }

    init(stringInterpolation: Interpolation) { raw = stringInterpolation.raw }

    /// Builds a text: keeps literals, escapes interpolated values.
    struct Interpolation: StringInterpolationProtocol {
        fileprivate var raw = ""

        init(literalCapacity: Int, interpolationCount: Int) { raw.reserveCapacity(literalCapacity * 2) }

        mutating func appendLiteral(_ literal: String) { raw += literal }

        mutating func appendInterpolation(_ text: TerminalText) { raw += text.raw }

        mutating func appendInterpolation(_ value: some CustomStringConvertible) {
            raw += TerminalText.harmless(value.description)
        }
    }
}
