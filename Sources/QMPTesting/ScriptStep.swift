public import JSON

/// One step of a ``ScriptedServer`` on a connection.
public enum ScriptStep: Sendable {
    /// Sends a greeting.
    case greet(version: String = "7.2.22", capabilities: [String] = ["oob"])

    /// Receives `qmp_capabilities` and accepts it.
    case negotiate

    /// Receives the next command, which must have this name, and gives the answer.
    case expect(String, ScriptAnswer)

    /// Receives commands and answers each by its name until the client disconnects; answers unknown ones as QEMU does.
    case serve([String: ScriptAnswer])

    /// Receives this many commands, and answers them in the opposite order.
    case answerInReverse(Int)

    /// Sends an event.
    case emit(String, data: [String: JSONValue] = [:])

    /// Sends the same event many times.
    case flood(String, count: Int)

    /// Sends bytes unchanged.
    case bytes([UInt8])

    /// Sends a text unchanged.
    case text(String)

    /// Sends a text repeatedly until the client disconnects or this many bytes are sent.
    case endless(String, upTo: Int)

    /// Does nothing for a while.
    case wait(Duration)

    /// Reads and discards until the client disconnects.
    case drain

    /// Neither reads nor sends until the client disconnects or the server is stopped.
    case hang

    /// Closes the connection, as the end of the script does.
    case close
}

/// The answer of a ``ScriptedServer`` to a command.
public enum ScriptAnswer: Sendable {
    /// A `return` with the command's id.
    case success(JSONValue)

    /// An `error` with the command's id.
    case failure(errorClass: String = "GenericError", String)

    /// An `error` without id, as QEMU sends for input that it cannot read.
    case failureWithoutID(String)

    /// An event, then the answer.
    indirect case after(event: String, data: [String: JSONValue] = [:], ScriptAnswer)

    /// A pause, then the answer.
    indirect case later(Duration, ScriptAnswer)

    /// A text, unchanged.
    case text(String)

    /// A guest agent's answer to `guest-sync-delimited`: the byte 0xFF and the argument `id` as `return`.
    case agentSync

    /// No answer.
    case silence

    /// No answer; the connection is closed.
    case close

    /// An empty `return`.
    public static let done = ScriptAnswer.success([:])
}
