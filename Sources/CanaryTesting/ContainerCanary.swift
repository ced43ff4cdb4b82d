import Glibc
import JSON
public import Linux
import Synchronization

/// The OCI bundles that containers are made of, as `scripts/build-redis-bundle` and `scripts/build-container-canary` leave
/// them.
public struct ContainerBundles: Sendable, Hashable {
    /// Debian's Redis.
    public let redis: String
    /// The canary of containers.
    public let canary: String

    /// Looks in a cache folder.
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

/// What the canary of containers says of itself; images/containers/canary/canary.c describes each figure.
public struct ContainerReport: Sendable, Hashable {
    /// The report's number.
    public let sequence: Int
    /// How many processes its tree has.
    public let processes: Int
    /// How often a page was verified.
    public let pagesVerified: Int
    /// How often a page was written.
    public let pagesWritten: Int
    /// Numbers that went round through pipes and sockets.
    public let messages: Int
    /// What its timers have counted.
    public let ticks: Int
    /// Records in its files.
    public let records: Int
    /// Lines that it has answered.
    public let answers: Int
    /// How often it found something wrong.
    public let anomalies: Int
    /// What it found wrong at last.
    public let anomaly: String

    /// Reads a report.
    ///
    /// - Parameter line: A line of the canary's.
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

    /// Whether everything that the canary watches has gone on since an earlier report.
    ///
    /// - Parameter earlier: That report.
    /// - Returns: Whether each figure has grown.
    public func goesOn(since earlier: ContainerReport) -> Bool {
        pagesVerified > earlier.pagesVerified && messages > earlier.messages && ticks > earlier.ticks
            && records > earlier.records
    }
}

/// One TCP connection to a canary in a container, which sends a numbered line every few milliseconds all the time.
public final class BeatSession: Sendable {
    /// The canary's port.
    public static let port: UInt16 = 7007

    /// How the connection has fared so far.
    public struct Record: Sendable, Hashable {
        /// Lines that came, each with the number after that of the one before.
        public var beats = 0
        /// The longest time without one since it was asked for last, in microseconds.
        public var longestGap = 0
        /// Why the connection is over; `nil` as long as it holds.
        public var end: String?
    }

    private let record = Mutex(Record())
    private let isStopped = Atomic(false)

    /// Connects, and begins to listen.
    ///
    /// - Parameters:
    ///   - address: The canary's IPv4 address.
    ///   - milliseconds: How often it is to send a line.
    ///   - patience: How long none may come until the connection counts as dead, in seconds.
    /// - Throws: `SystemError` when it cannot connect.
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

    /// How it has fared so far.
    public var soFar: Record { record.withLock { $0 } }

    /// Begins to look for the longest gap anew.
    public func forgetGap() { record.withLock { $0.longestGap = 0 } }

    /// Ends it from this side.
    public func stop() { isStopped.store(true, ordering: .releasing) }

    private func listen(to socket: TCPSocket) {
        var last = ContinuousClock.now
        while !isStopped.load(ordering: .acquiring) {
            guard let line = socket.readLine() else { return finish("errno \(errno)") }
            let now = ContinuousClock.now
            let gap = Int((now - last) / .microseconds(1))
            last = now
            let expected = "beat \(soFar.beats + 1)"
            guard line == expected else { return finish("“\(line)” came, not “\(expected)”") }
            record.withLock { record in
                record.beats += 1
                record.longestGap = max(record.longestGap, gap)
            }
        }
    }

    private func finish(_ reason: String) { record.withLock { $0.end = reason } }
}

/// A canary in a container, asked over a connection of its own each time.
public enum ContainerCanary {
    /// Asks for a report.
    ///
    /// - Parameters:
    ///   - address: Its IPv4 address.
    ///   - patience: How long to wait for it, in seconds.
    /// - Returns: The report; `nil` if there is no answer.
    public static func report(from address: String, patience: Int = 10) -> ContainerReport? {
        guard let socket = try? TCPSocket(to: address, port: BeatSession.port, patience: patience) else { return nil }
        defer { socket.close() }
        guard socket.write("report\n"), let line = socket.readLine() else { return nil }
        return ContainerReport(line: line)
    }

    /// Has it spoil a page of its own: it has to notice.
    ///
    /// - Parameter address: Its IPv4 address.
    public static func spoil(_ address: String) {
        guard let socket = try? TCPSocket(to: address, port: BeatSession.port, patience: 10) else { return }
        _ = socket.write("break\nreport\n")
        _ = socket.readLine()
        socket.close()
    }
}
