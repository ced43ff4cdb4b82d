import ArgumentParser

/// Parses comma-separated option values.
enum ListArgument {
    /// Returns a parser for whole numbers.
    static func numbers(_ range: ClosedRange<Int>) -> @Sendable (String) throws -> [Int] {
        { text in
            try text.split(separator: ",").map { word in
                guard let number = Int(word), range.contains(number) else {
                    throw ValidationError("\(word): a number from \(range.lowerBound) to \(range.upperBound)")
                }
                return number
            }
        }
    }

    /// Parses raw values.
    @Sendable static func words<Value: RawRepresentable<String>>(_ text: String) throws -> [Value] {
        try text.split(separator: ",").map { word in
            guard let value = Value(rawValue: String(word)) else {
                throw ValidationError("unknown value \(word)")
            }
            return value
        }
    }
}
