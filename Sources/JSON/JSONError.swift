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
