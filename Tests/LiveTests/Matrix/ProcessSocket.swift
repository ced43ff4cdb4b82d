import CanaryTesting
import Glibc
import Linux
import QMP
import Testing

/// Cuts connected unix sockets of other processes.
enum ProcessSocket {
    /// A connection as printed by `ss`: `u_str ESTAB 0 0 PATH INODE * PEER`; the path is `*` at the unbound end.
    private struct Connection {
        let path: Substring
        let socket: String
        let peer: String
    }

    private static func connections() async throws -> [Connection] {
        let words = try await ChildProgram.run("ss", ["-xHn"]).output.split(separator: "\n").map {
            $0.split(separator: " ")
        }
        return words.filter { $0.count > 7 }.map {
            Connection(path: $0[4], socket: "socket:[\($0[5])]", peer: "socket:[\($0[7])]")
        }
    }

    /// Cuts the connection between two processes.
    static func cut(between one: Int32, and other: Int32) async throws {
        let connections = try await connections()
        let theirs = Set(try ProcFS.descriptors(other).values)
        let ours = try ProcFS.descriptors(one).first { _, socket in
            connections.contains { $0.socket == socket && theirs.contains($0.peer) }
        }
        try shutDown(try #require(ours?.key, "no socket joins pid \(one) and pid \(other)"), of: one)
    }

    /// Cuts a process off from the listener at a path, and occupies the listener, so that the process cannot reconnect.
    ///
    /// - Returns: The occupying connection; closing it releases the listener.
    static func usurp(_ path: String, of process: Int32) async throws -> UnixStream {
        let connections = try await connections().filter { $0.path == path }
        let ours = try ProcFS.descriptors(process).first { _, socket in connections.contains { $0.peer == socket } }
        try shutDown(try #require(ours?.key, "pid \(process) is not connected to \(path)"), of: process)
        return try UnixStream.connect(path: path)
    }

    private static func shutDown(_ number: Int32, of process: Int32) throws {
        let handle = try ProcessHandle(try #require(ProcessIdentity.current(of: process)))
        let socket = try handle.descriptor(number)
        #expect(shutdown(socket.number, Int32(SHUT_RDWR)) == 0)
    }
}
