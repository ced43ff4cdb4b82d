public import JSON
public import Linux

/// A connection to a monitor that sends bytes and reads messages, without the behaviour of a client.
///
/// It blocks the calling thread.
public struct RawMonitor: ~Copyable {
    /// Why no message arrived.
    public enum Failure: Error, Sendable {
        /// No message arrived in time.
        case timeout

        /// The connection is closed.
        case closed

        /// The received data is not JSON.
        case unreadable(JSONError)
    }

    private let stream: UnixStream
    private var parser = JSONStreamParser()
    private var messages: [JSONValue] = []

    /// Takes ownership of a connection.
    ///
    /// - Parameter stream: The connection.
    public init(_ stream: UnixStream) {
        self.stream = stream
    }

    /// Sends bytes unchanged.
    ///
    /// - Parameter bytes: The bytes.
    /// - Throws: `closed`.
    public func send(_ bytes: [UInt8]) throws(Failure) {
        do throws(SystemError) { try stream.send(bytes) } catch { throw .closed }
    }

    /// Sends a text unchanged.
    ///
    /// - Parameter text: The text.
    /// - Throws: `closed`.
    public func send(_ text: String) throws(Failure) {
        try send(Array(text.utf8))
    }

    /// Waits for the next message.
    ///
    /// - Parameter patience: The maximum wait for its first byte, and for each of the following.
    /// - Returns: The message.
    /// - Throws: The reason why none arrived.
    public mutating func next(within patience: Duration = .seconds(5)) throws(Failure) -> JSONValue {
        while messages.isEmpty { try receive(within: patience) }
        return messages.removeFirst()
    }

    /// Waits for the next message that is not an event.
    ///
    /// - Parameter patience: The maximum wait for each message.
    /// - Returns: The message.
    /// - Throws: The reason why none arrived.
    public mutating func nextReply(within patience: Duration = .seconds(5)) throws(Failure) -> JSONValue {
        while true {
            let message = try next(within: patience)
            if message["event"] == nil { return message }
        }
    }

    private mutating func receive(within patience: Duration) throws(Failure) {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 65536, alignment: 16)
        defer { room.deallocate() }
        let count: Int
        do throws(SystemError) {
            count = try stream.receive(into: room, within: patience).count
        } catch {
            throw error.name == "ETIMEDOUT" ? .timeout : .closed
        }
        guard count > 0 else { throw .closed }
        var taken: [JSONValue] = []
        do throws(JSONError) {
            try parser.feed(UnsafeRawBufferPointer(rebasing: room[..<count])) { taken.append($0) }
        } catch {
            throw .unreadable(error)
        }
        messages += taken
    }
}
