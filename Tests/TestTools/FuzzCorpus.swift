/// Inputs to begin from, and pieces to put in anywhere.
public struct FuzzCorpus: Sendable {
    /// What others write, and what has troubled parsers before.
    public let inputs: [[UInt8]]
    /// What means something to the parser.
    public let tokens: [[UInt8]]
    /// The longest input in bytes.
    public let largestInput: Int

    /// Puts a corpus together.
    ///
    /// - Parameters:
    ///   - inputs: At least one.
    ///   - tokens: Beside those that mean something to every parser: ends of numbers, broken UTF-8.
    ///   - largestInput: In bytes.
    public init(inputs: [[UInt8]], tokens: [[UInt8]] = [], largestInput: Int = 20_000) {
        self.inputs = inputs
        self.tokens = tokens + Self.common
        self.largestInput = largestInput
    }

    /// Puts a corpus of texts together.
    ///
    /// - Parameters:
    ///   - texts: At least one.
    ///   - words: Pieces to put in anywhere.
    ///   - largestInput: In bytes.
    public init(texts: [String], words: [String] = [], largestInput: Int = 20_000) {
        self.init(
            inputs: texts.map { Array($0.utf8) }, tokens: words.map { Array($0.utf8) }, largestInput: largestInput)
    }

    private static let common: [[UInt8]] =
        [
            "0", "-1", "9", "4294967295", "2147483648", "9223372036854775807", "-9223372036854775808",
            "18446744073709551615", "18446744073709551616", "ffffffffffffffff", "0x", "e9", "\r\n", "\n", "\t", " ",
            "é", "\u{301}", "😀", "\u{FEFF}",
        ].map { Array($0.utf8) } + [
            [0], [0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC0, 0xAF],
        ]
}
