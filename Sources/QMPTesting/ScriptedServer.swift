public import Linux

/// A monitor that does what a script says, on a real unix socket.
///
/// Like QEMU it serves one client at a time: others can connect and get no greeting until the first one is gone. Each
/// connection follows the next script; the last script serves for all that follow.
///
/// ```swift
/// let server = try ScriptedServer([.greet(), .negotiate, .serve(["query-status": .success(["running": true])])])
/// let client = try await QMPClient.connect(path: server.path)
/// ```
public final class ScriptedServer: Sendable {
    /// The socket's path.
    public let path: String

    private let folder: ScratchFolder
    private let stage: ServerStage

    /// Starts a server.
    ///
    /// - Parameter scripts: What to do on the first connection, on the second, and so on; at least one.
    /// - Throws: `SystemError` when the socket cannot be made.
    public init(_ scripts: [ScriptStep]...) throws(SystemError) {
        folder = try ScratchFolder()
        path = "\(folder.path)/qmp.sock"
        let stage = ServerStage(try UnixListener(path: path, backlog: 1), scripts: scripts)
        self.stage = stage
        try startThread(name: "scripted-qmp") { stage.run() }
    }

    deinit {
        stage.stop()
    }

    /// What was said so far.
    public var transcript: Transcript { stage.transcript }

    /// How many connections were accepted so far.
    public var connectionCount: Int { stage.connectionCount }

    /// Takes the descriptors that came with commands so far.
    ///
    /// - Returns: The descriptors in the order of arrival.
    public func takeDescriptors() -> DescriptorList { stage.takeDescriptors() }

    /// Closes the socket and the connection, as if QEMU had ended; the server is of no more use.
    public func stop() { stage.stop() }
}
