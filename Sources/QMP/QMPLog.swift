internal import Logging
internal import Synchronization

/// Logs the commands, replies and events of one connection at debug level.
///
/// The logger is ``Logging/Logger/current`` as it was when the connection was made; its metadata names the side. Arguments
/// are not logged, as they may contain secrets. While the log is held nothing is formatted or written: the lines are kept,
/// and `release` writes them with the time at which they were taken.
final class QMPLog: Sendable {
    /// One thing that happened on the connection.
    enum Line {
        case sent(String)
        case answered(String)
        case refused(String, reason: String)
        case event(String)
        case closed(reason: String)
    }

    private struct State {
        /// When the log was held; `nil` if lines are written at once.
        var heldSince: ContinuousClock.Instant?
        var lines: [(at: ContinuousClock.Instant, line: Line)] = []
    }

    private let logger: Logger
    private let state = Mutex(State())

    /// Creates the log of a connection.
    ///
    /// - Returns: `nil` if debug messages are not wanted, so that a connection without a log costs nothing.
    init?(endpoint: String) {
        var logger = Logger.current
        guard logger.logLevel <= .debug else { return nil }
        logger[metadataKey: "monitor"] = "\(endpoint)"
        self.logger = logger
    }

    deinit { release() }

    /// Writes a line, or keeps it while the log is held.
    func append(_ line: @autoclosure () -> Line) {
        let isWritten = state.withLock { state in
            if state.heldSince != nil { state.lines.append((.now, line())) }
            return state.heldSince == nil
        }
        if isWritten { logger.debug("\(line())") }
    }

    /// Keeps lines from here on.
    func hold() { state.withLock { $0.heldSince = $0.heldSince ?? .now } }

    /// Writes the lines that were kept, each with the time since `hold`.
    func release() {
        let (since, lines) = state.withLock { state in
            defer { state = State() }
            return (state.heldSince, state.lines)
        }
        guard let since else { return }
        for (at, line) in lines {
            let milliseconds = ((at - since) / .milliseconds(0.1)).rounded() / 10
            logger.debug("\(line)", metadata: ["after": "\(milliseconds) ms"])
        }
    }
}

extension QMPLog.Line: CustomStringConvertible {
    var description: String {
        switch self {
        case .sent(let command): "-> \(command)"
        case .answered(let command): "<- \(command): ok"
        case .refused(let command, let reason): "<- \(command): \(reason)"
        case .event(let name): "<- event \(name)"
        case .closed(let reason): "closed: \(reason)"
        }
    }
}

extension QMPClient {
    /// Keeps the log of this connection in memory until ``releaseLog()``, so that nothing is written while a guest is
    /// stopped.
    public func holdLog() { connection.log?.hold() }

    /// Writes the log lines that ``holdLog()`` kept.
    public func releaseLog() { connection.log?.release() }
}
