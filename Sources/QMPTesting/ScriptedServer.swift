public import Linux

/// A monitor that follows a script, on a real unix socket.
///
/// Like QEMU, it serves one client at a time: others can connect but get no greeting until the first one disconnects.
/// Each connection follows the next script; the last script applies to all further connections.
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
    /// - Parameter scripts: The scripts for the first connection, the second, and so on; at least one.
    /// - Throws: `SystemError` if the socket cannot be created.
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

    /// Everything sent so far, in both directions.
    public var transcript: Transcript { stage.transcript }

    /// The number of connections accepted so far.
    public var connectionCount: Int { stage.connectionCount }

    /// Removes and returns the descriptors that arrived with commands so far.
    ///
    /// - Returns: The descriptors in the order of arrival.
    public func takeDescriptors() -> DescriptorList { stage.takeDescriptors() }

    /// Closes the socket and the connection, as if QEMU had ended; the server cannot be used again.
    public func stop() { stage.stop() }
}
