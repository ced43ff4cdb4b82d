internal import CJSONC

/// A json-c tokener that is freed when its owner is gone.
struct TokenerHandle: ~Copyable {
    /// What reading a piece led to; the length is that of what was read of it.
    enum Outcome: ~Copyable {
        case complete(ObjectHandle, length: Int)
        case incomplete
        case failed(TokenerFailure, length: Int)
    }

    /// The largest piece, in bytes, that json-c takes at once.
    static let largestPiece = Int(Int32.max) - 1

    private let tokener: UnsafeMutablePointer<json_tokener>

    /// Makes a tokener; its own depth counts the scalars within the containers too.
    init(maximumDepth: Int) {
        guard let tokener = json_tokener_new_ex(Int32(maximumDepth + 1)) else {
            fatalError("json-c: out of memory")
        }
        self.tokener = tokener
        // json-c's own check of UTF-8 forgets where it was at the end of each piece: ObjectHandle does it instead.
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS)
    }

    deinit {
        json_tokener_free(tokener)
    }

    /// Reads a piece without NUL of at most ``largestPiece`` bytes, up to the end of the first value in it.
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

/// Why json-c refuses a text.
struct TokenerFailure: Error {
    let isDepth: Bool
    let text: String

    init(_ error: json_tokener_error) {
        isDepth = error == json_tokener_error_depth
        text = String(cString: json_tokener_error_desc(error))
    }

    /// The error with its place.
    func error(at offset: Int, limits: JSONLimits) -> JSONError {
        isDepth ? .tooDeep(at: offset, limits: limits) : JSONError(.malformed, offset: offset, message: text)
    }
}
