public import JSON

/// One step of what a ``ScriptedServer`` does on a connection.
public enum ScriptStep: Sendable {
    /// Sends a greeting.
    case greet(version: String = "7.2.22", capabilities: [String] = ["oob"])

    /// Takes `qmp_capabilities` and agrees.
    case negotiate

    /// Takes the next command, which has to have this name, and gives the answer.
    case expect(String, ScriptAnswer)

    /// Takes commands and answers each by its name until the client is gone; unknown ones as QEMU does.
    case serve([String: ScriptAnswer])

    /// Takes commands one after the other, as many as given, and answers them in the opposite order.
    case answerInReverse(Int)

    /// Sends an event.
    case emit(String, data: [String: JSONValue] = [:])

    /// Sends the same event many times.
    case flood(String, count: Int)

    /// Sends bytes as they are.
    case bytes([UInt8])

    /// Sends a text as it is.
    case text(String)

    /// Sends a text over and over until the client is gone or this many bytes are out.
    case endless(String, upTo: Int)

    /// Does nothing for a while.
    case wait(Duration)

    /// Reads and forgets until the client is gone.
    case drain

    /// Reads nothing and says nothing until the client is gone or the server is stopped.
    case hang

    /// Closes the connection; so does the end of the script.
    case close
}

/// What a ``ScriptedServer`` does about a command.
public enum ScriptAnswer: Sendable {
    /// A `return` with the command's id.
    case success(JSONValue)

    /// An `error` with the command's id.
    case failure(errorClass: String = "GenericError", String)

    /// An `error` without id, as QEMU answers what it cannot read.
    case failureWithoutID(String)

    /// An event, then the rest.
    indirect case after(event: String, data: [String: JSONValue] = [:], ScriptAnswer)

    /// A pause, then the rest.
    indirect case later(Duration, ScriptAnswer)

    /// A text as it is.
    case text(String)

    /// A guest agent's answer to `guest-sync-delimited`: the byte 0xFF and the argument `id` as `return`.
    case agentSync

    /// No answer.
    case silence

    /// No answer, and the connection is closed.
    case close

    /// An empty `return`.
    public static let done = ScriptAnswer.success([:])
}
