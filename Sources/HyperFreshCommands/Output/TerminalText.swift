/// Text that a terminal can be given: it moves no cursor and forges no line.
///
/// Names, paths, command lines and other programs' words are often chosen by somebody else. Whatever is put into a text
/// between `\(` and `)` has its control characters written out; what this program itself says, and its colours, stay.
struct TerminalText: Sendable, Hashable {
    /// With escape sequences of our own at most.
    private(set) var raw: String

    private init(raw: String) { self.raw = raw }

    /// Somebody's words, made harmless.
    init(_ words: some StringProtocol) { raw = Self.harmless(words) }

    static func + (first: TerminalText, second: TerminalText) -> TerminalText {
        TerminalText(raw: first.raw + second.raw)
    }

    /// This text between escape sequences.
    func wrapped(in opening: String, _ closing: String) -> TerminalText {
        TerminalText(raw: opening + raw + closing)
    }

    /// Somebody's words of several lines, each made harmless; tabs and ends of lines stay.
    static func lines(_ words: String) -> TerminalText {
        let lines = words.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        let parts = lines.map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).map { harmless($0) }.joined(separator: "\t")
        }
        return TerminalText(raw: parts.joined(separator: "\n"))
    }

    /// The words with `\u{1B}` and the like for what a terminal acts on, or what changes the order of what is read.
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
        // Controls are C0, DEL and C1; separators end a line; formats turn the direction of writing or show nothing.
        case .control, .lineSeparator, .paragraphSeparator: true
        case .format: scalar != "\u{200C}" && scalar != "\u{200D}"
        default: false
        }
    }
}

extension TerminalText: ExpressibleByStringInterpolation {
    init(stringLiteral value: String) { raw = value }

    init(stringInterpolation: Interpolation) { raw = stringInterpolation.raw }

    /// Puts a text together.
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
