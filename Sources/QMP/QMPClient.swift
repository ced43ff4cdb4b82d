public import JSON
public import Linux

/// A client of one QEMU monitor.
///
/// Commands run concurrently and are told apart by id; every one has a deadline, also when the peer reads nothing. It is
/// counted anew with each reply to a command that was sent before, as QEMU does one after the other. The
/// connection ends with `close()`, with the client itself, or from the other side; whoever waits then is told.
///
/// ```swift
/// let client = try await QMPClient.connect(path: "/run/vm/qmp.sock")
/// let events = client.events(named: ["STOP", "RESUME"])
/// try await client.execute(Stop())
/// let stopped = try await events.next(within: .seconds(1))
/// ```
public final class QMPClient: Sendable {
    /// What the monitor said first.
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

    /// Connects to a monitor's socket, takes the greeting and agrees on capabilities.
    ///
    /// - Parameters:
    ///   - path: The socket's path; it may be longer than the 107 bytes of a socket address.
    ///   - appearance: The longest wait for somebody to listen there, for a QEMU that has just been started.
    ///   - greetingDeadline: The longest wait for the connection, and for the greeting.
    ///   - allowsOutOfBand: Whether to enable out-of-band execution where it is greeted.
    ///   - limits: What a message may take at most.
    ///   - opening: Called once connected, for a way to the monitor that somebody else opens only then; what it throws ends
    ///     the connection.
    /// - Returns: The client, ready for commands.
    /// - Throws: `busy` when another client holds the monitor; `notQMP`, `disconnected`, `timeout`; `system` when the socket
    ///   cannot be reached.
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

    /// Takes over a connected socket, takes the greeting and agrees on capabilities.
    ///
    /// - Parameters:
    ///   - descriptor: A unix stream socket, connected to a monitor that has not greeted yet.
    ///   - name: What to call the socket in messages.
    ///   - greetingDeadline: The longest wait for the greeting.
    ///   - allowsOutOfBand: Whether to enable out-of-band execution where it is greeted.
    ///   - limits: What a message may take at most.
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

    /// Who made the other end: QEMU's process as it was when it opened its socket; nil when the kernel does not tell.
    public var peer: PeerCredentials? { connection.peer }

    /// The socket, as it is called in messages.
    public var endpoint: String { connection.endpoint }

    /// Executes a command and waits for its reply.
    ///
    /// - Parameters:
    ///   - command: The command.
    ///   - deadline: The longest wait; nil for the command's own.
    /// - Returns: What the reply says.
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
    ///   - name: QEMU's name of the command.
    ///   - arguments: What is sent along.
    ///   - descriptors: Open descriptors that travel with it; they stay the caller's.
    ///   - outOfBand: Whether it overtakes what QEMU is busy with.
    ///   - deadline: The longest wait.
    /// - Returns: What QEMU sent as `return`.
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
                "'\(name)' cannot run out of band: this monitor has not agreed to it; nothing was sent",
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

    /// Writes a command now, in the calling thread, and does not wait for its reply.
    ///
    /// For where every microsecond counts; it may be called in a tap's handler.
    ///
    /// - Parameters:
    ///   - name: QEMU's name of the command.
    ///   - arguments: What is sent along.
    ///   - deadline: The longest time until the reply.
    /// - Returns: Where the reply may be awaited.
    /// - Throws: `disconnected`, `invalidCommand`, `system`: nothing was sent then.
    @discardableResult
    public func post(
        _ name: String,
        arguments: [String: JSONValue] = [:],
        deadline: Duration = .seconds(5)
    ) throws(QMPError) -> QMPPendingReply {
        try connection.submit(name, arguments: arguments, descriptors: [], isOutOfBand: false, deadline: deadline)
    }

    /// Subscribes to events: every one that arrives after this call returns is in the stream.
    ///
    /// The client has to be kept for as long as the events are wanted.
    ///
    /// - Parameters:
    ///   - names: QEMU's names of the events; none for all.
    ///   - capacity: How many may wait unread before the stream ends by `overflow`.
    /// - Returns: The stream.
    public func events(named names: Set<String> = [], capacity: Int = 256) -> QMPEvents {
        QMPEvents(connection, named: names, capacity: capacity)
    }

    /// Subscribes to events with a handler that is called in the reader thread, before the next message is looked at.
    ///
    /// It saves the change of threads that a stream costs. The handler must not block: nothing is read meanwhile.
    ///
    /// - Parameters:
    ///   - names: QEMU's names of the events; none for all.
    ///   - handler: Takes each event, and at last the failure that ended the connection.
    /// - Returns: The subscription, which lasts as long as it is kept.
    public func tap(
        named names: Set<String> = [],
        _ handler: @escaping @Sendable (Result<QMPEvent, QMPError>) -> Void
    ) -> QMPTap {
        QMPTap(connection, named: names, handler)
    }

    /// Ends the connection: whoever waits gets `disconnected`.
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
                // Who has greeted is there, and may take as long over this command as over others.
                deadline: max(patience, .seconds(5))
            ).value()
            return QMPClient(connection, greeting: greeting, isOutOfBandEnabled: enables)
        } catch {
            connection.close()
            throw connection.located(error)
        }
    }
}
