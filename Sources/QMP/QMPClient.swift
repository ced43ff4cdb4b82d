public import JSON
public import Linux

/// A client of one QEMU monitor.
///
/// Commands run concurrently and are matched by id. Every command has a deadline, even if the peer reads nothing. A
/// deadline restarts with each reply to a command that was sent earlier, because QEMU executes one after the other. The
/// connection ends with `close()`, with the client itself, or from the other side; waiting calls then fail.
///
/// ```swift
/// let client = try await QMPClient.connect(path: "/run/vm/qmp.sock")
/// let events = client.events(named: ["STOP", "RESUME"])
/// try await client.execute(Stop())
/// let stopped = try await events.next(within: .seconds(1))
/// ```
public final class QMPClient: Sendable {
    /// The greeting of the monitor.
    public let greeting: QMPGreeting

    /// Whether commands may be executed out of band.
    public let isOutOfBandEnabled: Bool

    let connection: QMPConnection

    private init(_ connection: QMPConnection, greeting: QMPGreeting, isOutOfBandEnabled: Bool) {
        self.connection = connection
        self.greeting = greeting
        self.isOutOfBandEnabled = isOutOfBandEnabled
    }

    deinit {
        connection.close()
    }

    /// Connects to a monitor's socket, receives the greeting and negotiates capabilities.
    ///
    /// - Parameters:
    ///   - path: The socket's path; it may be longer than the 107 bytes of a socket address.
    ///   - appearance: The maximum wait until a process listens there, for a QEMU that has just been started.
    ///   - greetingDeadline: The maximum wait for the connection, and for the greeting.
    ///   - allowsOutOfBand: Whether to enable out-of-band execution if the greeting offers it.
    ///   - limits: The limits of one message.
    ///   - opening: Called once connected, for a path to the monitor that another process opens only then; an error
    ///     from it ends the connection.
    /// - Returns: The client, ready for commands.
    /// - Throws: `busy` if another client holds the monitor; `notQMP`, `disconnected`, `timeout`; `system` if the
    ///   socket cannot be reached.
    public static func connect(
        path: String,
        appearingWithin appearance: Duration = .zero,
        greetingDeadline: Duration = .seconds(2),
        allowsOutOfBand: Bool = true,
        limits: JSONLimits = .standard,
        opening: () async throws(QMPError) -> Void = {}
    ) async throws(QMPError) -> QMPClient {
        let stream = try await Dialing.connect(path, within: greetingDeadline, appearingWithin: appearance)
        try await opening()
        let connection = QMPConnection(stream, endpoint: path, limits: limits)
        return try await negotiate(connection, within: greetingDeadline, allowsOutOfBand: allowsOutOfBand)
    }

    /// Takes ownership of a connected socket, receives the greeting and negotiates capabilities.
    ///
    /// - Parameters:
    ///   - descriptor: A unix stream socket, connected to a monitor that has not sent its greeting yet.
    ///   - name: The name of the socket in messages.
    ///   - greetingDeadline: The maximum wait for the greeting.
    ///   - allowsOutOfBand: Whether to enable out-of-band execution if the greeting offers it.
    ///   - limits: The limits of one message.
    /// - Returns: The client, ready for commands.
    /// - Throws: `busy`, `notQMP`, `disconnected`, `timeout`.
    public static func connect(
        adopting descriptor: consuming Descriptor,
        name: String,
        greetingDeadline: Duration = .seconds(2),
        allowsOutOfBand: Bool = true,
        limits: JSONLimits = .standard
    ) async throws(QMPError) -> QMPClient {
        let connection = QMPConnection(UnixStream(adopting: descriptor), endpoint: name, limits: limits)
        return try await negotiate(connection, within: greetingDeadline, allowsOutOfBand: allowsOutOfBand)
    }

    /// The process that created the other end: QEMU as it was when it opened its socket; nil if the kernel does not
    /// report it.
    public var peer: PeerCredentials? { connection.peer }

    /// The name of the socket in messages.
    public var endpoint: String { connection.endpoint }

    /// Executes a command and waits for its reply.
    ///
    /// - Parameters:
    ///   - command: The command.
    ///   - deadline: The maximum wait; nil for the command's own.
    /// - Returns: The decoded reply.
    /// - Throws: `refused`, `timeout`, `disconnected`, `unusableReply`, `invalidCommand`, `cancelled`, `system`.
    @discardableResult
    public func execute<C: QMPCommand>(_ command: C, deadline: Duration? = nil) async throws(QMPError) -> C.Reply {
        let value = try await executeRaw(
            C.name,
            arguments: command.arguments,
            descriptors: command.descriptors,
            outOfBand: command.isOutOfBand,
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
    ///   - name: The command's name in QMP.
    ///   - arguments: The arguments.
    ///   - descriptors: Open descriptors to send with it; the caller remains their owner.
    ///   - outOfBand: Whether it overtakes commands that QEMU is still executing.
    ///   - deadline: The maximum wait.
    /// - Returns: The value of `return`.
    /// - Throws: `refused`, `timeout`, `disconnected`, `unusableReply` (both `return` and `error`), `invalidCommand`,
    ///   `cancelled`, `system`.
    @discardableResult
    public func executeRaw(
        _ name: String,
        arguments: [String: JSONValue] = [:],
        descriptors: [Int32] = [],
        outOfBand: Bool = false,
        deadline: Duration = .seconds(5)
    ) async throws(QMPError) -> JSONValue {
        guard !outOfBand || isOutOfBandEnabled else {
            throw QMPError(
                .invalidCommand,
                "'\(name)' cannot run out of band: this is not enabled on this monitor; nothing was sent",
                endpoint: endpoint
            )
        }
        return try await connection.submit(
            name,
            arguments: arguments,
            descriptors: descriptors,
            isOutOfBand: outOfBand,
            deadline: deadline
        ).value()
    }

    /// Writes a command at once, in the calling thread, and does not wait for its reply.
    ///
    /// For code in which every microsecond counts; a tap's handler may call it.
    ///
    /// - Parameters:
    ///   - name: The command's name in QMP.
    ///   - arguments: The arguments.
    ///   - deadline: The maximum time until the reply.
    /// - Returns: A handle for waiting for the reply.
    /// - Throws: `disconnected`, `invalidCommand`, `system`; in these cases nothing was sent.
    @discardableResult
    public func post(
        _ name: String,
        arguments: [String: JSONValue] = [:],
        deadline: Duration = .seconds(5)
    ) throws(QMPError) -> QMPPendingReply {
        try connection.submit(name, arguments: arguments, descriptors: [], isOutOfBand: false, deadline: deadline)
    }

    /// Subscribes to events: the stream has every event that arrives after this call returns.
    ///
    /// The caller must keep the client for as long as it needs events.
    ///
    /// - Parameters:
    ///   - names: The names of the events in QMP; empty for all.
    ///   - capacity: The maximum number of unread events before the stream ends with `overflow`.
    /// - Returns: The stream.
    public func events(named names: Set<String> = [], capacity: Int = 256) -> QMPEvents {
        QMPEvents(connection, named: names, capacity: capacity)
    }

    /// Subscribes to events with a handler that is called in the reader thread, before the next message is processed.
    ///
    /// This avoids the thread switch that a stream needs. The handler must not block: nothing is read while it runs.
    ///
    /// - Parameters:
    ///   - names: The names of the events in QMP; empty for all.
    ///   - handler: Receives each event, and finally the failure that ended the connection.
    /// - Returns: The subscription, which ends when it is released.
    public func tap(
        named names: Set<String> = [],
        _ handler: @escaping @Sendable (Result<QMPEvent, QMPError>) -> Void
    ) -> QMPTap {
        QMPTap(connection, named: names, handler)
    }

    /// Closes the connection; waiting calls fail with `disconnected`.
    public func close() {
        connection.close()
    }

    private static func negotiate(
        _ connection: QMPConnection,
        within patience: Duration,
        allowsOutOfBand: Bool
    ) async throws(QMPError) -> QMPClient {
        do throws(QMPError) {
            let value = try await connection.start(greetingWithin: patience).value()
            let greeting = try QMPGreeting(from: QMPReply(value, to: "the connection"))
            let enables = allowsOutOfBand && greeting.capabilities.contains("oob")
            _ = try await connection.submit(
                "qmp_capabilities",
                arguments: enables ? ["enable": ["oob"]] : [:],
                descriptors: [],
                isOutOfBand: false,
                // A monitor that has sent its greeting may take as long for this command as for others.
                deadline: max(patience, .seconds(5))
            ).value()
            return QMPClient(connection, greeting: greeting, isOutOfBandEnabled: enables)
        } catch {
            connection.close()
            throw connection.located(error)
        }
    }
}
