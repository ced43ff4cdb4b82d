extension JSONValue {
    /// Reads a text that holds one value and nothing but white space around it.
    ///
    /// - Parameters:
    ///   - bytes: The text in UTF-8.
    ///   - limits: What the value may take at most.
    /// - Throws: `JSONError` with the byte at which the text stops being what was asked for.
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

    /// Reads a text that holds one value and nothing but white space around it.
    ///
    /// - Parameters:
    ///   - bytes: The text in UTF-8.
    ///   - limits: What the value may take at most.
    /// - Throws: `JSONError` with the byte at which the text stops being what was asked for.
    public init(parsing bytes: [UInt8], limits: JSONLimits = .standard) throws(JSONError) {
        let outcome = bytes.withUnsafeBytes { buffer in
            Result { () throws(JSONError) in try JSONValue(parsing: buffer, limits: limits) }
        }
        self = try outcome.get()
    }

    /// Reads a text that holds one value and nothing but white space around it.
    ///
    /// - Parameters:
    ///   - text: The text.
    ///   - limits: What the value may take at most.
    /// - Throws: `JSONError` with the byte at which the text stops being what was asked for.
    public init(parsing text: String, limits: JSONLimits = .standard) throws(JSONError) {
        try self.init(parsing: Array(text.utf8), limits: limits)
    }

    /// The value as JSON; the members of objects stand sorted by key.
    ///
    /// A key ends before its first U+0000, as json-c keeps keys.
    ///
    /// - Parameter pretty: Whether to indent and break lines; otherwise there is no white space at all.
    /// - Returns: The text, without a line break at its end.
    public func encoded(pretty: Bool = false) -> String {
        ObjectHandle(self).withText(pretty: pretty) { String(decoding: $0, as: UTF8.self) }
    }

    /// The value as compact JSON in UTF-8; the members of objects stand sorted by key.
    ///
    /// - Parameter terminator: Bytes to put behind it.
    /// - Returns: The text.
    public func encodedBytes(terminator: [UInt8] = []) -> [UInt8] {
        ObjectHandle(self).withText(pretty: false) { Array($0) + terminator }
    }
}
