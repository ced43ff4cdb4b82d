import Glibc
public import Linux
import Synchronization

/// A TCP connection to a canary's echo server that is in constant use: it sends numbered lines, and each must come
/// back.
public final class EchoSession: Sendable {
    /// The state of the connection.
    public struct Record: Sendable, Hashable {
        /// The number of lines that came back unchanged.
        public var lines = 0
        /// The longest wait for a line, in microseconds.
        public var longestWait = 0
        /// Why the connection ended; `nil` while it holds.
        public var end: String?
    }

    private let record = Mutex(Record())
    private let isStopped = Atomic(false)

    /// Connects and starts sending a line every few milliseconds.
    ///
    /// - Parameters:
    ///   - address: The canary's IPv4 address.
    ///   - port: The echo server's port.
    ///   - patience: The longest wait for an answer, in seconds.
    /// - Throws: `SystemError` if it cannot connect.
    public init(to address: String, port: UInt16 = 7, patience: Int = 10) throws(SystemError) {
        let socket = try TCPSocket(to: address, port: port, patience: patience)
        try startThread(name: "echo") { [self] in
            converse(over: socket)
            socket.close()
        }
    }

    /// The state of the connection so far.
    public var soFar: Record { record.withLock { $0 } }

    /// Closes the connection from this side.
    public func stop() { isStopped.store(true, ordering: .releasing) }

    private func converse(over socket: TCPSocket) {
        while !isStopped.load(ordering: .acquiring) {
            let line = "line \(soFar.lines + 1)"
            let sent = ContinuousClock.now
            guard socket.write("\(line)\n"), let answer = socket.readLine() else {
                return finish("no answer to “\(line)”, sent \(ContinuousClock.now - sent) ago: errno \(errno)")
            }
            guard answer == line else { return finish("sent “\(line)”, got “\(answer)”") }
            let wait = Int((ContinuousClock.now - sent) / .microseconds(1))
            record.withLock { record in
                record.lines += 1
                record.longestWait = max(record.longestWait, wait)
            }
            usleep(5000)
        }
    }

    private func finish(_ reason: String) { record.withLock { $0.end = reason } }
}
