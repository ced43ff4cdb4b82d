internal import CJSONC
internal import Glibc

/// A json-c object that is freed when this value is destroyed.
///
/// json-c represents `null` as a null pointer.
struct ObjectHandle: ~Copyable {
    let pointer: OpaquePointer?

    /// Takes ownership of one reference.
    init(owning pointer: OpaquePointer?) {
        self.pointer = pointer
    }

    deinit {
        json_object_put(pointer)
    }

    /// Builds the object for a value.
    init(_ value: JSONValue) {
        self.init(owning: Self.build(value))
    }

    /// Creates a new object with one reference, which the caller owns.
    private static func build(_ value: JSONValue) -> OpaquePointer? {
        switch value {
        case .null: nil
        case .bool(let truth): json_object_new_boolean(truth ? 1 : 0)
        case .integer(let value): json_object_new_int64(value)
        case .unsigned(let value): json_object_new_uint64(value)
        case .number(let value): value.isFinite ? json_object_new_double_s(value, "\(value)") : nil
        case .string(let text): text.withCString { json_object_new_string_len($0, Int32(text.utf8.count)) }
        case .array(let elements): buildArray(elements)
        case .object(let members): buildObject(members)
        }
    }

    private static func buildArray(_ elements: [JSONValue]) -> OpaquePointer? {
        let array = json_object_new_array()
        for element in elements {
            json_object_array_add(array, build(element))
        }
        return array
    }

    /// Adds members sorted by key, so that equal values have equal texts.
    private static func buildObject(_ members: [String: JSONValue]) -> OpaquePointer? {
        let object = json_object_new_object()
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            json_object_object_add(object, key, build(value))
        }
        return object
    }

    /// Formats the object; the text, without its final NUL, is valid within the closure.
    func withText<R>(pretty: Bool, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        let layout = pretty ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN
        var length = 0
        let text = json_object_to_json_string_length(pointer, layout | JSON_C_TO_STRING_NOSLASHESCAPE, &length)
        return body(UnsafeRawBufferPointer(start: text, count: text == nil ? 0 : length))
    }

    /// Converts the object to a value.
    func value(limits: JSONLimits) throws(JSONDefect) -> JSONValue {
        try Self.value(of: pointer, deeper: limits.maximumDepth)
    }

    private static func value(of pointer: OpaquePointer?, deeper: Int) throws(JSONDefect) -> JSONValue {
        switch json_object_get_type(pointer) {
        case json_type_boolean:
            return .bool(json_object_get_boolean(pointer) != 0)
        case json_type_int:
            let unsigned = json_object_get_uint64(pointer)
            return unsigned > UInt64(Int64.max) ? .unsigned(unsigned) : .integer(json_object_get_int64(pointer))
        case json_type_double:
            let number = json_object_get_double(pointer)
            guard number.isFinite else { throw .numberOutOfRange }
            return .number(number)
        case json_type_string:
            return .string(try text(json_object_get_string(pointer), Int(json_object_get_string_len(pointer))))
        case json_type_array:
            guard deeper > 0 else { throw .tooDeep }
            return .array(try elements(of: pointer, deeper: deeper - 1))
        case json_type_object:
            guard deeper > 0 else { throw .tooDeep }
            return .object(try members(of: pointer, deeper: deeper - 1))
        default:
            return .null
        }
    }

    private static func elements(of array: OpaquePointer?, deeper: Int) throws(JSONDefect) -> [JSONValue] {
        let count = json_object_array_length(array)
        var elements: [JSONValue] = []
        elements.reserveCapacity(count)
        for index in 0..<count {
            elements.append(try value(of: json_object_array_get_idx(array, index), deeper: deeper))
        }
        return elements
    }

    private static func members(of object: OpaquePointer?, deeper: Int) throws(JSONDefect) -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        members.reserveCapacity(Int(json_object_object_length(object)))
        var entry = json_object_get_object(object)?.pointee.head
        while let current = entry {
            let key = current.pointee.k.map { $0.assumingMemoryBound(to: CChar.self) }
            let name = try text(key, key.map { strlen($0) } ?? 0)
            members[name] = try value(of: current.pointee.v.map { OpaquePointer($0) }, deeper: deeper)
            entry = current.pointee.next
        }
        return members
    }

    /// json-c accepts overlong forms and surrogates; Swift's decoder checks UTF-8 strictly.
    private static func text(_ start: UnsafePointer<CChar>?, _ count: Int) throws(JSONDefect) -> String {
        let bytes = UnsafeRawBufferPointer(start: start, count: count)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw .invalidUTF8 }
        return text
    }
}

/// A defect in an object that json-c has accepted.
enum JSONDefect: Error {
    case invalidUTF8, numberOutOfRange, tooDeep

    /// Returns the error with its offset.
    func error(at offset: Int, limits: JSONLimits) -> JSONError {
        switch self {
        case .invalidUTF8: JSONError(.invalidUTF8, offset: offset, message: "a string is not valid UTF-8")
        case .numberOutOfRange: JSONError(.malformed, offset: offset, message: "a number is out of range")
        case .tooDeep: .tooDeep(at: offset, limits: limits)
        }
    }
}

/// A json-c tokener that is freed when this value is destroyed.
struct TokenerHandle: ~Copyable {
    /// The result of parsing a piece; `length` is the number of bytes read from it.
    enum Outcome: ~Copyable {
        case complete(ObjectHandle, length: Int)
        case incomplete
        case failed(TokenerFailure, length: Int)
    }

    /// The largest piece, in bytes, that json-c accepts in one call.
    static let largestPiece = Int(Int32.max) - 1

    private let tokener: UnsafeMutablePointer<json_tokener>

    /// Creates a tokener; its depth limit also counts scalars within containers, hence one more.
    init(maximumDepth: Int) {
        guard let tokener = json_tokener_new_ex(Int32(maximumDepth + 1)) else {
            fatalError("json-c: out of memory")
        }
        self.tokener = tokener
        // json-c's own UTF-8 check loses its state at the end of each piece; ObjectHandle checks instead.
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS)
    }

    deinit {
        json_tokener_free(tokener)
    }

    /// Parses a piece without NUL of at most ``largestPiece`` bytes, up to the end of the first value in it.
    func parse(_ piece: UnsafeRawBufferPointer) -> Outcome {
        let start = piece.baseAddress?.assumingMemoryBound(to: CChar.self)
        let object = ObjectHandle(owning: json_tokener_parse_ex(tokener, start, Int32(piece.count)))
        let error = json_tokener_get_error(tokener)
        switch error {
        case json_tokener_success: return .complete(object, length: json_tokener_get_parse_end(tokener))
        case json_tokener_continue: return .incomplete
        default: return .failed(TokenerFailure(error), length: json_tokener_get_parse_end(tokener))
        }
    }
}

/// An error reported by json-c.
struct TokenerFailure: Error {
    let isDepth: Bool
    let text: String

    init(_ error: json_tokener_error) {
        isDepth = error == json_tokener_error_depth
        text = String(cString: json_tokener_error_desc(error))
    }

    /// Returns the error with its offset.
    func error(at offset: Int, limits: JSONLimits) -> JSONError {
        isDepth ? .tooDeep(at: offset, limits: limits) : JSONError(.malformed, offset: offset, message: text)
    }
}
