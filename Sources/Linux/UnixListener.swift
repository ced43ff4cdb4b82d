internal import CLinux
internal import Glibc

/// A listening unix stream socket.
public final class UnixListener: Sendable {
    private let socket: Descriptor

    /// The path of the socket; the file stays when the listener is closed.
    public let path: String

    /// Binds a socket to `path`, which must not exist, and listens.
    ///
    /// - Parameters:
    ///   - path: the socket's path; if longer than 107 bytes, it is bound through a descriptor of the folder.
    ///   - backlog: the number of connections that may wait to be accepted.
    ///   - mode: the permissions of the socket file, masked by the umask.
    /// - Throws: `SystemError` from `bind`: EADDRINUSE (the path exists), ENOENT, EACCES, ENAMETOOLONG.
    public init(path: String, backlog: Int32 = 16, mode: UInt32 = 0o600) throws(SystemError) {
        socket = Descriptor(adopting: try retrying("bind", path) { hf_unix_listen(path, backlog, mode) })
        self.path = path
    }

    /// Returns a listener to which no client can connect: its name is removed at once.
    ///
    /// - Throws: `SystemError` from `mkdtemp` or `bind`.
    public static func unreachable() throws(SystemError) -> UnixListener {
        var template = Array("/tmp/hyperfresh-XXXXXX".utf8CString)
        guard let folder = mkdtemp(&template).map({ String(cString: $0) }) else { throw .last("mkdtemp", "/tmp") }
        defer { rmdir(folder) }
        let listener = try UnixListener(path: "\(folder)/socket")
        unlink(listener.path)
        return listener
    }

    /// The socket's number, for passing it on; this object keeps ownership.
    public var number: Int32 { socket.number }

    /// Waits for the next connection.
    ///
    /// - Parameter within: the longest wait; nil waits for a connection or `shutdown`.
    /// - Returns: this side of the connection.
    /// - Throws: `SystemError` from `accept4`: ETIMEDOUT, EINVAL (after `shutdown`), EMFILE.
    public func accept(within: Duration? = nil) throws(SystemError) -> UnixStream {
        let deadline = Deadline(within: within)
        while true {
            var entry = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
            let count = poll(&entry, 1, deadline.pollTimeout)
            if count == 0 { throw SystemError(operation: "accept4", subject: path, code: ETIMEDOUT) }
            if count < 0 {
                if errno == EINTR { continue }
                throw .last("poll", path)
            }
            let number = hf_accept(socket.number)
            if number >= 0 { return UnixStream(adopting: Descriptor(adopting: number)) }
            // The client may have disconnected, or another thread may have accepted it.
            if errno != EINTR && errno != ECONNABORTED && errno != EAGAIN { throw .last("accept4", path) }
        }
    }

    /// Refuses all further connections and wakes the threads in `accept`.
    public func shutdown() {
        _ = Glibc.shutdown(socket.number, Int32(SHUT_RDWR))
    }
}
