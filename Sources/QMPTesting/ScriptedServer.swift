internal import Glibc
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

/// The messages between a ``ScriptedServer`` and its clients.
public struct Transcript: Sendable {
    /// Data that one side sent.
    public struct Line: Sendable, Hashable, CustomStringConvertible {
        /// The sender.
        public enum Speaker: String, Sendable, Hashable {
            /// The program under test.
            case client = "C"

            /// The scripted server.
            case server = "S"
        }

        /// The connection, from 1.
        public let connection: Int

        /// The sender.
        public let speaker: Speaker

        /// The data as text, at most the first 4096 characters.
        public let text: String

        /// The number of descriptors sent with it.
        public let descriptorCount: Int

        /// `1 C: {"execute": ...}`.
        public var description: String {
            "\(connection) \(speaker.rawValue): \(text)\(descriptorCount > 0 ? " [\(descriptorCount) descriptors]" : "")"
        }
    }

    /// All messages, in order.
    public internal(set) var lines: [Line] = []

    /// The deviations of the program under test from the script.
    public internal(set) var deviations: [String] = []

    /// The messages from the program under test.
    public var fromClient: [String] { lines.filter { $0.speaker == .client }.map(\.text) }
}

/// A private directory for sockets that is removed with its owner.
final class ScratchFolder: Sendable {
    /// The directory; other users cannot enter it.
    let path: String

    /// Creates a directory with a unique name.
    ///
    /// - Parameter parent: The parent directory.
    /// - Throws: `SystemError` from mkdtemp(3).
    init(in parent: String = "/tmp") throws(SystemError) {
        var template = Array("\(parent)/qmp-testing-XXXXXX".utf8CString)
        let failure: Int32 = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) } == nil ? errno : 0
        }
        guard failure == 0 else { throw SystemError(operation: "mkdtemp", subject: parent, code: failure) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        if let folder = opendir(path) {
            while let entry = readdir(folder) {
                let name = withUnsafePointer(to: entry.pointee.d_name) { name in
                    name.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                }
                if name != "." && name != ".." { _ = unlink("\(path)/\(name)") }
            }
            closedir(folder)
        }
        _ = rmdir(path)
    }
}
