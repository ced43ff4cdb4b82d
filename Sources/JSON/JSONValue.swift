/// A JSON value.
///
/// Integers keep all 64 bits: QEMU sends sizes and addresses up to 2^64-1.
public enum JSONValue: Sendable, Hashable {
    /// `null`.
    case null

    /// `true` or `false`.
    case bool(Bool)

    /// A number without fraction or exponent from -2^63 to 2^63-1.
    case integer(Int64)

    /// A number without fraction or exponent above 2^63-1; create it with ``init(_:)-(UInt64)``.
    case unsigned(UInt64)

    /// Any other number; infinities and NaN, which JSON does not have, are encoded as `null`.
    case number(Double)

    /// A string.
    case string(String)

    /// An array.
    case array([JSONValue])

    /// An object; if a key occurs twice, the last value is used.
    case object([String: JSONValue])

    /// Creates an integer: ``integer(_:)`` if it fits, otherwise ``unsigned(_:)``.
    ///
    /// - Parameter value: The integer.
    public init(_ value: UInt64) {
        self = Int64(exactly: value).map(JSONValue.integer) ?? .unsigned(value)
    }

    /// Returns the member of an object; nil if there is none or the value is no object.
    ///
    /// - Parameter key: The member's name.
    public subscript(key: String) -> JSONValue? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    /// Returns the element of an array; nil if there is none or the value is no array.
    ///
    /// - Parameter index: The element's index, from 0.
    public subscript(index: Int) -> JSONValue? {
        if case .array(let elements) = self, elements.indices.contains(index) { elements[index] } else { nil }
    }

    /// The text of a string; nil for anything else.
    public var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The value of an integer that fits into 64 signed bits; nil for anything else.
    public var integer: Int64? {
        switch self {
        case .integer(let value): value
        case .unsigned(let value): Int64(exactly: value)
        default: nil
        }
    }

    /// The value of a non-negative integer; nil for anything else.
    public var unsigned: UInt64? {
        switch self {
        case .integer(let value): UInt64(exactly: value)
        case .unsigned(let value): value
        default: nil
        }
    }

    /// The value of an integer that fits into an `Int`; nil for anything else.
    public var int: Int? { integer.flatMap { Int(exactly: $0) } }

    /// The value of any number, rounded if necessary; nil for anything else.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The value of a Boolean; nil for anything else.
    public var bool: Bool? {
        if case .bool(let truth) = self { truth } else { nil }
    }

    /// The elements of an array; nil for anything else.
    public var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The members of an object; nil for anything else.
    public var object: [String: JSONValue]? {
        if case .object(let members) = self { members } else { nil }
    }

    /// Whether the value is `null`.
    public var isNull: Bool { self == .null }

    /// The nesting depth of arrays and objects: 0 for a scalar, 1 for `[]`, 2 for `[[]]`.
    public var depth: Int {
        switch self {
        case .array(let elements): 1 + (elements.lazy.map(\.depth).max() ?? 0)
        case .object(let members): 1 + (members.values.lazy.map(\.depth).max() ?? 0)
        default: 0
        }
    }
}

extension JSONValue: CustomStringConvertible {
    /// The value as compact JSON.
    public var description: String { encoded() }
}

// MARK: - Literals

extension JSONValue: ExpressibleByNilLiteral {
    /// `null`.
    public init(nilLiteral: ()) { self = .null }
}

extension JSONValue: ExpressibleByBooleanLiteral {
    /// A boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension JSONValue: ExpressibleByIntegerLiteral {
    /// An integer.
    public init(integerLiteral value: Int64) { self = .integer(value) }
}

extension JSONValue: ExpressibleByFloatLiteral {
    /// A number.
    public init(floatLiteral value: Double) { self = .number(value) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByStringInterpolation {
    /// A string.
    public init(stringLiteral value: String) { self = .string(value) }
}

extension JSONValue: ExpressibleByArrayLiteral {
    /// An array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
}

extension JSONValue: ExpressibleByDictionaryLiteral {
    /// An object; if a key occurs twice, the last value is used, as in a parsed text.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}

// MARK: - Text

extension JSONValue {
    /// Parses a text with exactly one value, surrounded only by white space.
    ///
    /// - Parameters:
    ///   - bytes: The text in UTF-8.
    ///   - limits: The limits for the value.
    /// - Throws: `JSONError` with the byte offset of the error.
    public init(parsing bytes: UnsafeRawBufferPointer, limits: JSONLimits = .standard) throws(JSONError) {
        var parser = JSONStreamParser(limits: limits)
        var values: [JSONValue] = []
        try parser.feed(bytes) { values.append($0) }
        try parser.finish { values.append($0) }
        guard let value = values.first else {
            throw JSONError(.truncated, offset: bytes.count, message: "the text is empty")
        }
        guard values.count == 1 else {
            throw JSONError(.malformed, offset: bytes.count, message: "there is more than one value in the text")
        }
        self = value
    }

    /// Parses a text with exactly one value, surrounded only by white space.
    ///
    /// - Parameters:
    ///   - bytes: The text in UTF-8.
    ///   - limits: The limits for the value.
    /// - Throws: `JSONError` with the byte offset of the error.
    public init(parsing bytes: [UInt8], limits: JSONLimits = .standard) throws(JSONError) {
        let outcome = bytes.withUnsafeBytes { buffer in
            Result { () throws(JSONError) in try JSONValue(parsing: buffer, limits: limits) }
        }
        self = try outcome.get()
    }

    /// Parses a text with exactly one value, surrounded only by white space.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - limits: The limits for the value.
    /// - Throws: `JSONError` with the byte offset of the error.
    public init(parsing text: String, limits: JSONLimits = .standard) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }

    /// Formats the value as JSON, with the members of objects sorted by key.
    ///
    /// A key is truncated at its first U+0000, because json-c stores keys as C strings.
    ///
    /// - Parameter pretty: Whether to indent and break lines; otherwise the text contains no white space.
    /// - Returns: The text, without a final line break.
    public func encoded(pretty: Bool = false) -> String {
        ObjectHandle(self).withText(pretty: pretty) { String(decoding: $0, as: UTF8.self) }
    }

    /// Formats the value as compact JSON in UTF-8, with the members of objects sorted by key.
    ///
    /// - Parameter terminator: Bytes to append.
    /// - Returns: The text.
    public func encodedBytes(terminator: [UInt8] = []) -> [UInt8] {
        ObjectHandle(self).withText(pretty: false) { Array($0) + terminator }
    }
}
