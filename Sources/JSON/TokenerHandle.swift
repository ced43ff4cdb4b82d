internal import CJSONC

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
