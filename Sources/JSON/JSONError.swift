/// An error in a JSON text.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: String, Sendable, Hashable {
        /// The bytes are not JSON.
        case malformed

        /// The text ends within a value.
        case truncated

        /// A string contains bytes that are not UTF-8.
        case invalidUTF8

        /// The message is larger than ``JSONLimits/maximumBytes``.
        case tooLarge

        /// The message is nested deeper than ``JSONLimits/maximumDepth``.
        case tooDeep
    }

    /// The kind of failure.
    public let code: Code

    /// The byte offset, from the start of the text or stream, at which the error was detected.
    public let offset: Int

    /// A description of the error.
    public let message: String

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - code: The kind of failure.
    ///   - offset: The byte offset at which it was detected.
    ///   - message: A description of the error.
    public init(_ code: Code, offset: Int, message: String) {
        self.code = code
        self.offset = offset
        self.message = message
    }

    /// The message with the offset.
    public var description: String { "\(message) (at byte \(offset))" }

    static func tooLarge(at offset: Int, limits: JSONLimits) -> JSONError {
        JSONError(.tooLarge, offset: offset, message: "a message is larger than \(limits.maximumBytes) bytes")
    }

    static func tooDeep(at offset: Int, limits: JSONLimits) -> JSONError {
        JSONError(.tooDeep, offset: offset, message: "a message is nested deeper than \(limits.maximumDepth) levels")
    }
}

/// Limits of a parser, so that a peer cannot exhaust memory or stack.
public struct JSONLimits: Sendable, Hashable {
    /// The largest message, in bytes, without surrounding white space.
    public var maximumBytes: Int

    /// The deepest nesting of arrays and objects: `[[1]]` has a depth of two.
    public var maximumDepth: Int

    /// 16 MiB and a depth of 256.
    ///
    /// The largest reply of QEMU in ordinary use is `query-qmp-schema` (about 300 kB); the deepest are `query-block`
    /// and `query-named-block-nodes`, which nest one level for each backing file of an image chain.
    public static let standard = JSONLimits(maximumBytes: 16 * 1024 * 1024, maximumDepth: 256)

    /// Creates limits.
    ///
    /// - Parameters:
    ///   - maximumBytes: The largest message in bytes, at least 1.
    ///   - maximumDepth: The deepest nesting of arrays and objects, at least 1 and at most 1024.
    public init(maximumBytes: Int, maximumDepth: Int) {
        self.maximumBytes = max(1, maximumBytes)
        // Values are built and freed recursively: the cap keeps the recursion within a thread's stack.
        self.maximumDepth = min(max(1, maximumDepth), 1024)
    }
}
