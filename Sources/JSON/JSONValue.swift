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
