internal import CLinux
internal import Glibc
internal import Synchronization

/// A connected unix stream socket that carries bytes and descriptors.
///
/// One thread may send while another receives. Messages of concurrent senders are not interleaved; only one thread at a
/// time may receive. `shutdown` wakes a receiver in another thread.
public final class UnixStream: Sendable {
    private let socket: Descriptor
    private let sending = Mutex<Void>(())
    private let name: String

    /// Takes ownership of a connected unix stream socket.
    public init(adopting descriptor: consuming Descriptor) {
        name = "descriptor \(descriptor.number)"
        socket = descriptor
    }

    private init(_ number: Int32, name: String) {
        self.name = name
        socket = Descriptor(adopting: number)
    }

    /// Connects to the socket at `path`.
    ///
    /// A path longer than the 107 bytes of a socket address is reached through a descriptor of its folder.
    ///
    /// - Parameters:
    ///   - path: the path of the server's socket.
    ///   - within: the longest wait for a server whose queue is full.
    /// - Returns: the connected stream.
    /// - Throws: `SystemError` from `connect`: ENOENT, ECONNREFUSED (no listener), EACCES, EAGAIN (timed out),
    ///   ENAMETOOLONG (the last component alone is too long).
    public static func connect(path: String, within: Duration = .seconds(2)) throws(SystemError) -> UnixStream {
        let number = try retrying("connect", path) { hf_unix_connect(path, within.microseconds) }
        return UnixStream(number, name: path)
    }

    /// Creates a pair of connected sockets.
    ///
    /// - Throws: `SystemError` from `socketpair`; EMFILE if the process has no free descriptors.
    public static func pair() throws(SystemError) -> (UnixStream, UnixStream) {
        var ends: (Int32, Int32) = (-1, -1)
        _ = try retrying("socketpair", "") {
            withUnsafeMutableBytes(of: &ends) { hf_socket_pair($0.baseAddress?.assumingMemoryBound(to: Int32.self)) }
        }
        return (UnixStream(ends.0, name: "socket pair"), UnixStream(ends.1, name: "socket pair"))
    }

    /// The socket's number, for passing it on; this object keeps ownership.
    public var number: Int32 { socket.number }

    /// Returns the process that created the other end.
    ///
    /// - Throws: `SystemError` from `getsockopt`.
    public func peerCredentials() throws(SystemError) -> PeerCredentials {
        var (pid, uid, gid): (pid_t, uid_t, gid_t) = (0, 0, 0)
        _ = try retrying("getsockopt", name) { hf_peer_credentials(socket.number, &pid, &uid, &gid) }
        return PeerCredentials(pid: pid, uid: uid, gid: gid)
    }

    /// Sends all bytes, with the descriptors attached to the first byte.
    ///
    /// If only a part could be sent, the stream is shut down, because the peer could not tell later data from the
    /// missing rest.
    ///
    /// - Parameters:
    ///   - bytes: the bytes; at least one if there are descriptors.
    ///   - descriptors: the descriptors, at most 253; the kernel duplicates them, and the caller keeps ownership.
    ///   - within: the longest wait for a peer that does not read.
    /// - Throws: `SystemError` from `sendmsg`: EPIPE (the peer is gone), ETIMEDOUT, E2BIG (too many descriptors).
    public func send(
        _ bytes: UnsafeRawBufferPointer, descriptors: [Int32] = [], within: Duration = .seconds(5)
    ) throws(SystemError) {
        let deadline = Deadline(within: within)
        let failure: SystemError? = sending.withLock { _ in
            do throws(SystemError) {
                try sendLocked(bytes, descriptors: descriptors, deadline: deadline)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    /// Sends all bytes of an array, with the descriptors attached to the first byte.
    ///
    /// - Throws: `SystemError` from `sendmsg`, as for a buffer.
    public func send(
        _ bytes: [UInt8], descriptors: [Int32] = [], within: Duration = .seconds(5)
    ) throws(SystemError) {
        let failure: SystemError? = bytes.withUnsafeBytes { buffer in
            do throws(SystemError) {
                try send(buffer, descriptors: descriptors, within: within)
                return nil
            } catch {
                return error
            }
        }
        if let failure { throw failure }
    }

    /// Sends as many bytes as fit without waiting, with the descriptors attached to the first byte.
    ///
    /// - Parameters:
    ///   - bytes: the bytes; at least one.
    ///   - descriptors: the descriptors, at most 253; the kernel duplicates them. They are sent with the first byte.
    /// - Returns: the number of bytes sent; 0 if there is no room.
    /// - Throws: `SystemError` from `sendmsg`: EPIPE (the peer is gone), E2BIG (too many descriptors).
    public func sendNow(_ bytes: UnsafeRawBufferPointer, descriptors: [Int32] = []) throws(SystemError) -> Int {
        var failure: SystemError?
        let sent = sending.withLock { _ in
            let count = hf_send(socket.number, bytes.baseAddress, bytes.count, descriptors, descriptors.count)
            if count < 0 { failure = .last("sendmsg", name) }
            return count
        }
        guard let failure else { return sent }
        if failure.code == EAGAIN || failure.code == EINTR { return 0 }
        throw failure
    }

    private func sendLocked(
        _ bytes: UnsafeRawBufferPointer, descriptors: [Int32], deadline: Deadline
    ) throws(SystemError) {
        guard !bytes.isEmpty else {
            if descriptors.isEmpty { return }
            throw SystemError(
                operation: "sendmsg", subject: name, code: EINVAL, detail: "descriptors need at least one byte of data"
            )
        }
        var sent = 0
        while sent < bytes.count {
            let count = hf_send(
                socket.number, bytes.baseAddress.map { $0 + sent }, bytes.count - sent,
                descriptors, sent == 0 ? descriptors.count : 0
            )
            if count >= 0 {
                sent += count
                continue
            }
            let failure = SystemError.last("sendmsg", name)
            do throws(SystemError) {
                guard failure.code == EAGAIN else { throw failure }
                try wait(for: Int16(POLLOUT), deadline: deadline, operation: "sendmsg")
            } catch {
                if sent > 0 { shutdown() }
                throw error
            }
        }
    }

    /// Receives the available bytes; waits for the first byte.
    ///
    /// - Parameters:
    ///   - buffer: the destination; must not be empty.
    ///   - within: the longest wait; nil waits until the peer sends, closes, or `shutdown` is called.
    /// - Returns: the number of bytes, 0 at the end of the stream, and the descriptors that came with them.
    /// - Throws: `SystemError` from `recvmsg`: ETIMEDOUT, ECONNRESET, EMFILE (no free numbers for the descriptors,
    ///   which are closed).
    public func receive(
        into buffer: UnsafeMutableRawBufferPointer, within: Duration? = nil
    ) throws(SystemError) -> ReceivedBytes {
        precondition(!buffer.isEmpty, "the receive buffer must hold at least one byte")
        let deadline = Deadline(within: within)
        while true {
            var failure: Int32 = 0
            var result = 0
            let numbers = [Int32](unsafeUninitializedCapacity: Int(HF_MAXIMUM_DESCRIPTORS)) { room, count in
                result = hf_receive(
                    socket.number, buffer.baseAddress, buffer.count, room.baseAddress, &count, within == nil ? 1 : 0
                )
                if result < 0 { failure = errno }
            }
            if result >= 0 {
                return ReceivedBytes(count: result, descriptors: DescriptorList(adopting: numbers))
            }
            guard failure == EAGAIN else { throw SystemError(operation: "recvmsg", subject: name, code: failure) }
            try wait(for: Int16(POLLIN), deadline: deadline, operation: "recvmsg")
        }
    }

    /// Shuts down both directions: the peer and a local receiver read end of file.
    public func shutdown() {
        _ = Glibc.shutdown(socket.number, Int32(SHUT_RDWR))
    }

    private func wait(for events: Int16, deadline: Deadline, operation: String) throws(SystemError) {
        while true {
            var entry = pollfd(fd: socket.number, events: events, revents: 0)
            let count = poll(&entry, 1, deadline.pollTimeout)
            if count > 0 { return }
            if count == 0 { throw SystemError(operation: operation, subject: name, code: ETIMEDOUT) }
            if errno != EINTR { throw .last("poll", name) }
        }
    }
}

/// The result of one call of `UnixStream.receive`.
public struct ReceivedBytes: ~Copyable, Sendable {
    /// The number of bytes put into the buffer; 0 at the end of the stream.
    public let count: Int

    /// The descriptors that came with them, close-on-exec.
    public var descriptors: DescriptorList

    init(count: Int, descriptors: consuming DescriptorList) {
        self.count = count
        self.descriptors = descriptors
    }
}

/// The process at the other end of a unix socket, as recorded by the kernel (SO_PEERCRED in unix(7)).
public struct PeerCredentials: Sendable, Hashable {
    /// The process that called `connect`, `listen` or `socketpair`; 0 if it is outside this PID namespace.
    public let pid: Int32
    /// Its effective user ID at that time.
    public let uid: UInt32
    /// Its effective group ID at that time.
    public let gid: UInt32

    /// Creates credentials from their parts.
    public init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }
}

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
