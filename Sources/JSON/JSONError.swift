/// Why a text is not the JSON asked for.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of failure.
    public enum Code: String, Sendable, Hashable {
        /// The bytes are not JSON.
        case malformed

        /// The text ends before its value does.
        case truncated

        /// A string holds bytes that are not UTF-8.
        case invalidUTF8

        /// The message is larger than ``JSONLimits/maximumBytes``.
        case tooLarge

        /// The message nests deeper than ``JSONLimits/maximumDepth``.
        case tooDeep
    }

    /// The kind of failure.
    public let code: Code

    /// The byte, counted from the start of the text or stream, at which the failure was noticed.
    public let offset: Int

    /// What is wrong, in words.
    public let message: String

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: The kind of failure.
    ///   - offset: The byte at which it was noticed.
    ///   - message: What is wrong, in words.
    public init(_ code: Code, offset: Int, message: String) {
        self.code = code
        self.offset = offset
        self.message = message
    }

    /// The message with its place.
    public var description: String { "\(message) (at byte \(offset))" }

    static func tooLarge(at offset: Int, limits: JSONLimits) -> JSONError {
        JSONError(.tooLarge, offset: offset, message: "a message is larger than \(limits.maximumBytes) bytes")
    }

    static func tooDeep(at offset: Int, limits: JSONLimits) -> JSONError {
        JSONError(.tooDeep, offset: offset, message: "a message nests deeper than \(limits.maximumDepth) levels")
    }
}
