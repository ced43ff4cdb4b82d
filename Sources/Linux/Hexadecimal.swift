extension BinaryInteger {
    /// Returns the number in lower-case hexadecimal digits, with leading zeros.
    ///
    /// - Parameter digits: The smallest number of digits.
    /// - Returns: The digits.
    public func hexadecimal(digits: Int = 1) -> String {
        let text = String(self, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}

extension Sequence<UInt8> {
    /// The bytes in lower-case hexadecimal digits, two a byte.
    public var hexadecimal: String { map { $0.hexadecimal(digits: 2) }.joined() }
}
