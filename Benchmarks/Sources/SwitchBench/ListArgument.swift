import ArgumentParser

/// Values of an option that are separated by commas.
enum ListArgument {
    /// Whole numbers.
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

    /// Words that each name a value.
    @Sendable static func words<Value: RawRepresentable<String>>(_ text: String) throws -> [Value] {
        try text.split(separator: ",").map { word in
            guard let value = Value(rawValue: String(word)) else {
                throw ValidationError("nothing has the name \(word)")
            }
            return value
        }
    }
}
