internal import Glibc

/// Parses a stream of bytes, delivered in pieces of any size, into JSON values.
///
/// White space between values is optional. The result depends only on the bytes, not on how they are divided into
/// pieces (except for the offset of an error within a number). The first error ends the stream: every later call throws
/// it again.
///
/// The syntax is json-c's strict mode, with strict checking of UTF-8. Numbers above 2^64-1 or below -2^63 without
/// fraction or exponent become the nearest of the two, as in json-c.
public struct JSONStreamParser: ~Copyable {
    private let limits: JSONLimits
    private let tokener: TokenerHandle

    /// The number of bytes of the stream before the current message.
    private var messageStart = 0

    /// The number of bytes of the current message that json-c has read.
    private var messageLength = 0

    /// A number, or digits in a string, at the end of the last piece.
    ///
    /// It is held back because json-c does not resume every number correctly (`1` and `-2` become a single number).
    private var numberStart: [UInt8] = []

    /// The error that ended the stream.
    public private(set) var failure: JSONError?

    /// Creates a parser at the start of a stream.
    ///
    /// - Parameter limits: The limits for each message.
    public init(limits: JSONLimits = .standard) {
        self.limits = limits
        tokener = TokenerHandle(maximumDepth: limits.maximumDepth)
    }

    /// Whether the bytes so far end within a value.
    public var isWithinMessage: Bool { messageLength > 0 || !numberStart.isEmpty }

    /// The number of bytes read so far.
    public var offset: Int { messageStart + messageLength + numberStart.count }

    /// Parses the next piece of the stream.
    ///
    /// - Parameters:
    ///   - bytes: The piece.
    ///   - deliver: Receives each value that the piece completes, in order, including those before an error.
    /// - Throws: The stream's first error; every later call throws it again.
    public mutating func feed(_ bytes: UnsafeRawBufferPointer, _ deliver: (JSONValue) -> Void) throws(JSONError) {
        if let failure { throw failure }
        do throws(JSONError) {
            try read(bytes, deliver)
        } catch {
            failure = error
            throw error
        }
    }

    /// Parses the next piece of the stream.
    ///
    /// - Parameters:
    ///   - bytes: The piece.
    ///   - deliver: Receives each value that the piece completes, in order, including those before an error.
    /// - Throws: The stream's first error; every later call throws it again.
    public mutating func feed(_ bytes: [UInt8], _ deliver: (JSONValue) -> Void) throws(JSONError) {
        var thrown: JSONError?
        bytes.withUnsafeBytes { buffer in
            do throws(JSONError) { try feed(buffer, deliver) } catch { thrown = error }
        }
        if let thrown { throw thrown }
    }

    /// Ends the stream; only now is a top-level number at its end complete.
    ///
    /// - Parameter deliver: Receives the value that the end completes.
    /// - Throws: The stream's first error; `truncated` if it ends within a value.
    public mutating func finish(_ deliver: (JSONValue) -> Void) throws(JSONError) {
        guard failure != nil || isWithinMessage else { return }
        let end = offset
        try feed([0x20], deliver)
        guard isWithinMessage else { return }
        let error = JSONError(.truncated, offset: end, message: "the text ends within a value")
        failure = error
        throw error
    }

    private mutating func read(_ bytes: UnsafeRawBufferPointer, _ deliver: (JSONValue) -> Void) throws(JSONError) {
        // json-c treats a NUL as the end of the text.
        let text = Self.prefixWithoutNUL(bytes)
        let isWhole = text.count == bytes.count
        let tail = isWhole ? text.reversed().prefix(while: Self.isNumeric).count : 0
        if tail < text.count || !isWhole {
            try readJoined(UnsafeRawBufferPointer(rebasing: text.dropLast(tail)), deliver)
        }
        numberStart.append(contentsOf: text.suffix(tail))
        if messageLength + numberStart.count > limits.maximumBytes {
            try readJoined(UnsafeRawBufferPointer(start: nil, count: 0), deliver)
        }
        guard isWhole else { throw JSONError(.malformed, offset: offset, message: "the text contains a NUL byte") }
    }

    /// Parses the held-back bytes and the text after them.
    private mutating func readJoined(
        _ text: UnsafeRawBufferPointer,
        _ deliver: (JSONValue) -> Void
    ) throws(JSONError) {
        if numberStart.isEmpty { return try readText(text, deliver) }
        var joined: [UInt8] = []
        swap(&joined, &numberStart)
        joined.append(contentsOf: text)
        var thrown: JSONError?
        joined.withUnsafeBytes { buffer in
            do throws(JSONError) { try readText(buffer, deliver) } catch { thrown = error }
        }
        if let thrown { throw thrown }
    }

    private mutating func readText(_ text: UnsafeRawBufferPointer, _ deliver: (JSONValue) -> Void) throws(JSONError) {
        var rest = text
        while true {
            if messageLength == 0 {
                let space = rest.prefix(while: Self.isSpace).count
                messageStart += space
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(space))
            }
            if rest.isEmpty { return }
            let length = try readMessage(rest, deliver)
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(length))
        }
    }

    /// Parses up to the end of the message or of the piece; returns the number of bytes read.
    private mutating func readMessage(
        _ bytes: UnsafeRawBufferPointer,
        _ deliver: (JSONValue) -> Void
    ) throws(JSONError) -> Int {
        let allowed = limits.maximumBytes - messageLength
        guard allowed > 0 else { throw .tooLarge(at: offset, limits: limits) }
        let piece = UnsafeRawBufferPointer(rebasing: bytes.prefix(min(allowed, TokenerHandle.largestPiece)))
        switch tokener.parse(piece) {
        case .complete(let object, let length):
            let value = try value(of: object, at: offset + length)
            // json-c may also read white space after a message; it does not count as part of it.
            messageStart = offset + length
            messageLength = 0
            deliver(value)
            if value.isNumber, length < bytes.count, Self.isNumeric(bytes[length - 1]), Self.isNumeric(bytes[length]) {
                throw JSONError(.malformed, offset: offset, message: "nothing separates two numbers")
            }
            return length
        case .incomplete:
            messageLength += piece.count
            return piece.count
        case .failed(let reason, let length):
            messageLength += length
            throw reason.error(at: offset, limits: limits)
        }
    }

    private func value(of object: borrowing ObjectHandle, at offset: Int) throws(JSONError) -> JSONValue {
        do throws(JSONDefect) {
            return try object.value(limits: limits)
        } catch {
            throw error.error(at: offset, limits: limits)
        }
    }

    private static func prefixWithoutNUL(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        guard let start = bytes.baseAddress, let nul = memchr(start, 0, bytes.count) else { return bytes }
        return UnsafeRawBufferPointer(rebasing: bytes.prefix(UnsafeRawPointer(nul) - start))
    }

    private static func isNumeric(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x2B, 0x2D, 0x2E, 0x45, 0x65: true
        default: false
        }
    }

    /// Returns whether json-c treats a byte as white space.
    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }
}

extension JSONValue {
    fileprivate var isNumber: Bool { double != nil }
}
