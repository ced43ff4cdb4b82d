import Glibc
public import Linux
import Synchronization

/// One TCP connection to a canary's echo server, in use all the time: numbered lines, each of which must come back.
public final class EchoSession: Sendable {
    /// How the connection has fared so far.
    public struct Record: Sendable, Hashable {
        /// Lines that came back as they were sent.
        public var lines = 0
        /// The longest wait for one, in microseconds.
        public var longestWait = 0
        /// Why the connection is over; `nil` as long as it holds.
        public var end: String?
    }

    private let record = Mutex(Record())
    private let isStopped = Atomic(false)

    /// Connects, and begins to send a line every few milliseconds.
    ///
    /// - Parameters:
    ///   - address: The canary's IPv4 address.
    ///   - port: The echo server's port.
    /// - Throws: `SystemError` when it cannot connect.
    public init(to address: String, port: UInt16 = 7) throws(SystemError) {
        let socket = Descriptor(adopting: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        // An answer that takes longer is none.
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(socket.number, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(socket.number, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        guard inet_pton(AF_INET, address, &name.sin_addr) == 1 else {
            throw SystemError(operation: "inet_pton", subject: address, code: EINVAL)
        }
        let status = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw SystemError(operation: "connect", subject: "\(address):\(port)", code: errno) }
        let number = socket.release()
        try startThread(name: "echo") { [self] in
            converse(number)
            close(number)
        }
    }

    /// How it has fared so far.
    public var soFar: Record { record.withLock { $0 } }

    /// Ends it from this side.
    public func stop() { isStopped.store(true, ordering: .releasing) }

    private func converse(_ socket: Int32) {
        while !isStopped.load(ordering: .acquiring) {
            let line = "line \(soFar.lines + 1)\n"
            let sent = ContinuousClock.now
            guard let answer = exchange(line, on: socket) else { return finish("errno \(errno)") }
            guard answer == line else { return finish("sent “\(line)”, got “\(answer)”") }
            let (seconds, attoseconds) = (ContinuousClock.now - sent).components
            record.withLock { record in
                record.lines += 1
                record.longestWait = max(
                    record.longestWait, Int(seconds) * 1_000_000 + Int(attoseconds / 1_000_000_000_000))
            }
            usleep(5000)
        }
    }

    private func exchange(_ line: String, on socket: Int32) -> String? {
        let bytes = Array(line.utf8)
        guard send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { return nil }
        var answer: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 256)
        while answer.last != UInt8(ascii: "\n") {
            let count = recv(socket, &room, room.count, 0)
            guard count > 0 else { return nil }
            answer += room[..<count]
        }
        return String(decoding: answer, as: UTF8.self)
    }

    private func finish(_ reason: String) { record.withLock { $0.end = reason } }
}
