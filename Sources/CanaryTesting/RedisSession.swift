public import Linux
import Synchronization

/// A TCP connection to a Redis server that is in constant use: it writes numbered keys, one after the other.
///
/// Source: the Redis serialization protocol, RESP2.
public final class RedisSession: Sendable {
    /// The state of the connection.
    public struct Record: Sendable, Hashable {
        /// The number of keys that the server has acknowledged: `k1` to this one.
        public var acknowledged = 0
        /// The longest wait for an acknowledgement, in microseconds.
        public var longestWait = 0
        /// Why the connection ended; `nil` while it holds.
        public var end: String?
    }

    private let record = Mutex(Record())
    private let isStopped = Atomic(false)

    /// Connects and starts writing.
    ///
    /// - Parameters:
    ///   - address: The server's IPv4 address.
    ///   - patience: The longest wait for an answer, in seconds.
    /// - Throws: `SystemError` if it cannot connect.
    public init(to address: String, patience: Int = 120) throws(SystemError) {
        let socket = try TCPSocket(to: address, port: 6379, patience: patience)
        try startThread(name: "redis") { [self] in
            write(to: socket)
            socket.close()
        }
    }

    /// The state of the connection so far.
    public var soFar: Record { record.withLock { $0 } }

    /// Closes the connection from this side.
    public func stop() { isStopped.store(true, ordering: .releasing) }

    private func write(to socket: TCPSocket) {
        while !isStopped.load(ordering: .acquiring) {
            let number = soFar.acknowledged + 1
            let begin = ContinuousClock.now
            guard socket.write("SET k\(number) v\(number)\r\n"), let answer = socket.readLine() else {
                return finish("no answer to key \(number)")
            }
            guard answer == "+OK" else { return finish("key \(number): “\(answer)”") }
            let wait = Int((.now - begin) / .microseconds(1))
            record.withLock { record in
                record.acknowledged = number
                record.longestWait = max(record.longestWait, wait)
            }
        }
    }

    private func finish(_ reason: String) { record.withLock { $0.end = reason } }

    /// Reads keys over a new connection.
    ///
    /// - Parameters:
    ///   - numbers: The numbers of the keys.
    ///   - address: The server's IPv4 address.
    /// - Returns: The first key with a wrong value, and that value; `nil` if all are right.
    /// - Throws: `SystemError` if it cannot connect.
    public static func firstWrong(
        _ numbers: ClosedRange<Int>, at address: String
    ) throws(SystemError) -> String? {
        let socket = try TCPSocket(to: address, port: 6379, patience: 60)
        defer { socket.close() }
        let batch = 500
        for first in stride(from: numbers.lowerBound, through: numbers.upperBound, by: batch) {
            let numbers = first...min(first + batch - 1, numbers.upperBound)
            guard socket.write("MGET \(numbers.map { "k\($0)" }.joined(separator: " "))\r\n"),
                socket.readLine() == "*\(numbers.count)"
            else { return "k\(first): no answer" }
            for number in numbers {
                let length = socket.readLine()
                let value = length == "$-1" ? "nothing" : socket.readLine()
                guard value == "v\(number)" else { return "k\(number) has \(value ?? "no answer")" }
            }
        }
        return nil
    }

    /// Returns the numbered keys in an append-only file, in the file's order.
    ///
    /// - Parameter bundle: The bundle that the server runs from; the file must not have been rewritten.
    /// - Returns: Their numbers.
    /// - Throws: `SystemError` if the file cannot be read.
    public static func logged(in bundle: String) throws(SystemError) -> [Int] {
        let file = "\(bundle)/rootfs/var/lib/redis/appendonlydir/appendonly.aof.1.incr.aof"
        let text = String(decoding: try Files.readAll(file, limit: 256 << 20), as: UTF8.self)
        // The file contains `*3 $3 SET $N kNUMBER $N vNUMBER`, one word a line.
        return text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("k") }.compactMap { Int($0.dropFirst()) }
    }
}
