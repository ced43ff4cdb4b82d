/// Initial inputs, and tokens to insert anywhere.
public struct FuzzCorpus: Sendable {
    /// Typical inputs, and inputs that have broken parsers before.
    public let inputs: [[UInt8]]
    /// Tokens that the parser treats specially.
    public let tokens: [[UInt8]]
    /// The longest input in bytes.
    public let largestInput: Int

    /// Creates a corpus.
    ///
    /// - Parameters:
    ///   - inputs: The initial inputs; at least one.
    ///   - tokens: Tokens to insert, in addition to those for every parser: number boundaries, broken UTF-8.
    ///   - largestInput: The longest input in bytes.
    public init(inputs: [[UInt8]], tokens: [[UInt8]] = [], largestInput: Int = 20_000) {
        self.inputs = inputs
        self.tokens = tokens + Self.common
        self.largestInput = largestInput
    }

    /// Creates a corpus of texts.
    ///
    /// - Parameters:
    ///   - texts: The initial inputs; at least one.
    ///   - words: Tokens to insert anywhere.
    ///   - largestInput: The longest input in bytes.
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
