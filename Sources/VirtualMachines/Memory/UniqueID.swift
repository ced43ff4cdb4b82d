internal import Linux

/// A UUID (RFC 9562).
public struct UniqueID: Sendable, Hashable, CustomStringConvertible {
    /// Its 16 bytes, in the order of the text form.
    public let bytes: [UInt8]

    /// Creates a random UUID (version 4).
    public init() {
        var generator = SystemRandomNumberGenerator()
        var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        self.bytes = bytes
    }

    /// Parses a UUID; the result is `nil` if the text is none.
    ///
    /// - Parameter text: A text such as `0b7d4ae2-9c1f-4a53-8e6d-2f1b5c3a7e90`.
    public init?(_ text: String) {
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
        let digits = groups.joined().utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard !digits.contains(nil) else { return nil }
        let values = digits.compactMap(\.self)
        bytes = stride(from: 0, to: 32, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }

    /// Its text form: 32 hexadecimal digits in five groups, in lower case.
    public var description: String {
        let digits = bytes.map { $0.hexadecimal(digits: 2) }
        return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }.joined(separator: "-")
    }
}
