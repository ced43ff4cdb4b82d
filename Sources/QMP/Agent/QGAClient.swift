public import JSON
public import Linux

/// A client of one guest agent (qemu-ga).
///
/// The agent speaks QMP's JSON without greeting, ids and events, over a socket that is open whether it runs or not.
/// Commands wait their turn and go one at a time. Before the first one, and after every one that was not answered in
/// time, the two find together by `guest-sync-delimited`.
public final class QGAClient: Sendable {
    private let connection: AgentConnection

    private init(_ connection: AgentConnection) {
        self.connection = connection
    }

    deinit {
        close()
    }

    /// Connects to the socket of an agent's channel; whether the agent runs shows with the first command.
    ///
    /// - Parameters:
    ///   - path: The socket's path.
    ///   - patience: The longest wait for a socket whose queue is full.
    ///   - limits: What a message may take at most.
    /// - Returns: The client.
    /// - Throws: `system` when the socket cannot be reached, `busy` when others wait for it already.
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

    /// Takes over a connected socket.
    ///
    /// - Parameters:
    ///   - descriptor: A unix stream socket, connected to an agent's channel.
    ///   - name: What to call the socket in messages.
    ///   - limits: What a message may take at most.
    /// - Returns: The client.
    /// - Throws: `system` when no thread can be started.
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
    ///   - command: The command; descriptors and out-of-band execution are not for agents.
    ///   - deadline: The longest wait, the time in which others have their turn included; nil for the command's own.
    /// - Returns: What the reply says.
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
    ///   - name: The agent's name of the command.
    ///   - arguments: What is sent along.
    ///   - deadline: The longest wait, the time in which others have their turn included.
    /// - Returns: What the agent sent as `return`.
    /// - Throws: As the typed form, but for `unusableReply`.
    @discardableResult
    public func executeRaw(
        _ name: String,
        arguments: [String: JSONValue] = [:],
        deadline: Duration = .seconds(5)
    ) async throws(QMPError) -> JSONValue {
        try await connection.execute(command(name, arguments), expectsReply: true, within: deadline)
    }

    /// Sends a command that is not answered when it succeeds, such as `guest-shutdown`.
    ///
    /// - Parameters:
    ///   - name: The agent's name of the command.
    ///   - arguments: What is sent along.
    ///   - deadline: The longest wait until the agent listens.
    /// - Throws: `timeout`, `disconnected`, `cancelled`.
    public func send(
        _ name: String,
        arguments: [String: JSONValue] = [:],
        deadline: Duration = .seconds(5)
    ) async throws(QMPError) {
        _ = try await connection.execute(command(name, arguments), expectsReply: false, within: deadline)
    }

    /// Ends the connection: whoever waits gets `disconnected`.
    public func close() {
        connection.end(QMPError(.disconnected, "the connection was closed by this program"))
    }

    private func command(_ name: String, _ arguments: [String: JSONValue]) -> JSONValue {
        var command: [String: JSONValue] = ["execute": .string(name)]
        if !arguments.isEmpty { command["arguments"] = .object(arguments) }
        return .object(command)
    }
}
