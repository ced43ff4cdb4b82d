public import JSON
public import Linux

/// A client of one guest agent (qemu-ga).
///
/// The agent uses QMP's JSON without greeting, ids and events, over a socket that is open whether it runs or not.
/// Commands are queued and sent one at a time. The client synchronises with `guest-sync-delimited` before the first
/// command, and after every command that was not answered in time.
public final class QGAClient: Sendable {
    private let connection: AgentConnection

    private init(_ connection: AgentConnection) {
        self.connection = connection
    }

    deinit {
        close()
    }

    /// Connects to the socket of an agent's channel; only the first command shows whether the agent runs.
    ///
    /// - Parameters:
    ///   - path: The socket's path.
    ///   - patience: The maximum wait for a socket whose queue is full.
    ///   - limits: The limits of one message.
    /// - Returns: The client.
    /// - Throws: `system` if the socket cannot be reached, `busy` if other clients already wait for it.
    public static func connect(
        path: String,
        within patience: Duration = .seconds(2),
        limits: JSONLimits = .standard
    ) async throws(QMPError) -> QGAClient {
        let connection = AgentConnection(
            try await Dialing.connect(path, within: patience),
            endpoint: path,
            limits: limits
        )
        try connection.start()
        return QGAClient(connection)
    }

    /// Takes ownership of a connected socket.
    ///
    /// - Parameters:
    ///   - descriptor: A unix stream socket, connected to an agent's channel.
    ///   - name: The name of the socket in messages.
    ///   - limits: The limits of one message.
    /// - Returns: The client.
    /// - Throws: `system` if no thread can be started.
    public static func connect(
        adopting descriptor: consuming Descriptor,
        name: String,
        limits: JSONLimits = .standard
    ) throws(QMPError) -> QGAClient {
        let connection = AgentConnection(UnixStream(adopting: descriptor), endpoint: name, limits: limits)
        try connection.start()
        return QGAClient(connection)
    }

    /// Executes a command and waits for its reply.
    ///
    /// - Parameters:
    ///   - command: The command; agents support neither descriptors nor out-of-band execution.
    ///   - deadline: The maximum wait, including the time for commands before it; nil for the command's own.
    /// - Returns: The decoded reply.
    /// - Throws: `refused`, `timeout` (the agent does not run, or is busy), `disconnected`, `protocolViolation`,
    ///   `unusableReply`, `cancelled`.
    @discardableResult
    public func execute<C: QMPCommand>(_ command: C, deadline: Duration? = nil) async throws(QMPError) -> C.Reply {
        let value = try await executeRaw(
            C.name,
            arguments: command.arguments,
            deadline: deadline ?? command.deadline
        )
        do throws(QMPError) {
            return try C.reply(from: QMPReply(value, to: C.name))
        } catch {
            throw connection.located(error, command: ["execute": .string(C.name)])
        }
    }

    /// Executes any command and waits for its reply.
    ///
    /// - Parameters:
    ///   - name: The command's name in the agent.
    ///   - arguments: The arguments.
    ///   - deadline: The maximum wait, including the time for commands before it.
    /// - Returns: The value of `return`.
    /// - Throws: As the typed form, except `unusableReply`.
    @discardableResult
    public func executeRaw(
        _ name: String,
        arguments: [String: JSONValue] = [:],
        deadline: Duration = .seconds(5)
    ) async throws(QMPError) -> JSONValue {
        try await connection.execute(command(name, arguments), expectsReply: true, within: deadline)
    }

    /// Sends a command that has no reply on success, such as `guest-shutdown`.
    ///
    /// - Parameters:
    ///   - name: The command's name in the agent.
    ///   - arguments: The arguments.
    ///   - deadline: The maximum wait until the agent listens.
    /// - Throws: `timeout`, `disconnected`, `cancelled`.
    public func send(
        _ name: String,
        arguments: [String: JSONValue] = [:],
        deadline: Duration = .seconds(5)
    ) async throws(QMPError) {
        _ = try await connection.execute(command(name, arguments), expectsReply: false, within: deadline)
    }

    /// Closes the connection; waiting calls fail with `disconnected`.
    public func close() {
        connection.end(QMPError(.disconnected, "the connection was closed by this program"))
    }

    private func command(_ name: String, _ arguments: [String: JSONValue]) -> JSONValue {
        var command: [String: JSONValue] = ["execute": .string(name)]
        if !arguments.isEmpty { command["arguments"] = .object(arguments) }
        return .object(command)
    }
}
