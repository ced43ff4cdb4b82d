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
