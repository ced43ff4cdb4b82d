internal import CLinux
internal import Glibc

/// A listening unix stream socket.
public final class UnixListener: Sendable {
    private let socket: Descriptor

    /// Where it listens; the file stays behind when the listener is closed.
    public let path: String

    /// Binds a socket to `path`, which must not exist yet, and listens.
    ///
    /// - Parameters:
    ///   - path: of the socket; more than 107 bytes are reached through a descriptor of the folder.
    ///   - backlog: how many connections may wait to be accepted.
    ///   - mode: permissions of the socket file, narrowed by the umask.
    /// - Throws: `SystemError` from `bind`: EADDRINUSE (the path exists), ENOENT, EACCES, ENAMETOOLONG.
    public init(path: String, backlog: Int32 = 16, mode: UInt32 = 0o600) throws(SystemError) {
        socket = Descriptor(adopting: try retrying("bind", path) { hf_unix_listen(path, backlog, mode) })
        self.path = path
    }

    /// A listener that nobody can connect to: its name is gone before it listens to anybody.
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

    /// The number of the socket, for handing it to somebody else; it stays this object's to close.
    public var number: Int32 { socket.number }

    /// Waits for the next connection.
    ///
    /// - Parameter within: the longest wait; nil waits until somebody connects or `shutdown` is called.
    /// - Returns: our end of it.
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
            // The peer may have gone again, or another thread may have taken it.
            if errno != EINTR && errno != ECONNABORTED && errno != EAGAIN { throw .last("accept4", path) }
        }
    }

    /// Refuses everything from now on and wakes the threads in `accept`.
    public func shutdown() {
        _ = Glibc.shutdown(socket.number, Int32(SHUT_RDWR))
    }
}
