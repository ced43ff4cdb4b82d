import Glibc
import JSON
public import Linux
import Synchronization

/// The OCI bundles for containers, as built by `scripts/build-redis-bundle` and `scripts/build-container-canary`.
public struct ContainerBundles: Sendable, Hashable {
    /// A bundle with Debian's Redis.
    public let redis: String
    /// A bundle with the canary for containers.
    public let canary: String

    /// Finds the bundles in a cache folder.
    ///
    /// - Parameter cache: The folder.
    /// - Throws: ``CanaryError/notBuilt(path:)``.
    public init(cache: String) throws(CanaryError) {
        redis = "\(cache)/bundle/redis"
        canary = "\(cache)/bundle/canary"
        for bundle in [redis, canary] where !Files.exists("\(bundle)/config.json") {
            throw CanaryError.notBuilt(path: bundle)
        }
    }
}

/// A report of the container canary; images/containers/canary/canary.c describes each figure.
public struct ContainerReport: Sendable, Hashable {
    /// The report's number.
    public let sequence: Int
    /// The number of processes in its tree.
    public let processes: Int
    /// The number of page checks.
    public let pagesVerified: Int
    /// The number of page writes.
    public let pagesWritten: Int
    /// The number of messages sent round through pipes and sockets.
    public let messages: Int
    /// The count of its timers.
    public let ticks: Int
    /// The number of records in its files.
    public let records: Int
    /// The number of lines that it has answered.
    public let answers: Int
    /// The number of anomalies found.
    public let anomalies: Int
    /// The description of the last anomaly.
    public let anomaly: String

    /// Parses a report; the result is nil if the line is none.
    ///
    /// - Parameter line: A line of the canary's output.
    public init?(line: some StringProtocol) {
        guard line.hasPrefix("{\"canary\":2"), let json = try? JSONValue(parsing: String(line)),
            let anomaly = json["anomaly"]?.string
        else { return nil }
        func number(_ key: String) -> Int { json[key]?.int ?? 0 }
        sequence = number("seq")
        processes = number("processes")
        pagesVerified = number("pages_verified")
        pagesWritten = number("pages_written")
        messages = number("messages")
        ticks = number("ticks")
        records = number("records")
        answers = number("answers")
        anomalies = number("anomalies")
        self.anomaly = anomaly
    }

    /// Returns whether everything that the canary checks has made progress since an earlier report.
    ///
    /// - Parameter earlier: The earlier report.
    /// - Returns: Whether pages checked, messages, ticks and records have all increased.
    public func goesOn(since earlier: ContainerReport) -> Bool {
        pagesVerified > earlier.pagesVerified && messages > earlier.messages && ticks > earlier.ticks
            && records > earlier.records
    }
}

/// A TCP connection to a container canary, which sends a numbered line every few milliseconds.
public final class BeatSession: Sendable {
    /// The canary's port.
    public static let port: UInt16 = 7007

    /// The state of the connection.
    public struct Record: Sendable, Hashable {
        /// The number of lines received, each numbered one higher than the line before.
        public var beats = 0
        /// The longest gap between lines since ``forgetGap()``, in microseconds.
        public var longestGap = 0
        /// Why the connection ended; `nil` while it holds.
        public var end: String?
    }

    private let record = Mutex(Record())
    private let isStopped = Atomic(false)

    /// Connects and starts listening.
    ///
    /// - Parameters:
    ///   - address: The canary's IPv4 address.
    ///   - milliseconds: The interval between lines.
    ///   - patience: The time without a line after which the connection counts as dead, in seconds.
    /// - Throws: `SystemError` if it cannot connect.
    public init(to address: String, every milliseconds: Int = 10, patience: Int = 600) throws(SystemError) {
        let socket = try TCPSocket(to: address, port: Self.port, patience: patience)
        guard socket.write("beat \(milliseconds)\n") else {
            throw SystemError(operation: "send", subject: address, code: errno)
        }
        try startThread(name: "beats") { [self] in
            listen(to: socket)
            socket.close()
        }
    }

    /// The state of the connection so far.
    public var soFar: Record { record.withLock { $0 } }

    /// Resets the longest gap.
    public func forgetGap() { record.withLock { $0.longestGap = 0 } }

    /// Closes the connection from this side.
    public func stop() { isStopped.store(true, ordering: .releasing) }

    private func listen(to socket: TCPSocket) {
        var last = ContinuousClock.now
        while !isStopped.load(ordering: .acquiring) {
            guard let line = socket.readLine() else { return finish("errno \(errno)") }
            let now = ContinuousClock.now
            let gap = Int((now - last) / .microseconds(1))
            last = now
            let expected = "beat \(soFar.beats + 1)"
            guard line == expected else { return finish("received “\(line)”, expected “\(expected)”") }
            record.withLock { record in
                record.beats += 1
                record.longestGap = max(record.longestGap, gap)
            }
        }
    }

    private func finish(_ reason: String) { record.withLock { $0.end = reason } }
}

/// A canary in a container; each request uses a new connection.
public enum ContainerCanary {
    /// Requests a report.
    ///
    /// - Parameters:
    ///   - address: Its IPv4 address.
    ///   - patience: The longest wait, in seconds.
    /// - Returns: The report; `nil` if there is no answer.
    public static func report(from address: String, patience: Int = 10) -> ContainerReport? {
        guard let socket = try? TCPSocket(to: address, port: BeatSession.port, patience: patience) else { return nil }
        defer { socket.close() }
        guard socket.write("report\n"), let line = socket.readLine() else { return nil }
        return ContainerReport(line: line)
    }

    /// Makes it corrupt one of its own pages, which it must detect.
    ///
    /// - Parameter address: Its IPv4 address.
    public static func spoil(_ address: String) {
        guard let socket = try? TCPSocket(to: address, port: BeatSession.port, patience: 10) else { return }
        _ = socket.write("break\nreport\n")
        _ = socket.readLine()
        socket.close()
    }
}
