import Glibc
import Logging
import Synchronization

/// Writes log lines to standard error in a task of its own: a terminal that is paused must not delay a handoff.
final class LogWriter: Sendable {
    private let lines: AsyncStream<String>.Continuation
    private let isDone = Atomic(false)

    init() {
        let (stream, continuation) = AsyncStream<String>.makeStream()
        lines = continuation
        Task.detached { [self] in
            for await line in stream {
                var rest = Array(line.utf8)[...]
                while !rest.isEmpty {
                    let count = rest.withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
                    // Without a reader, the error cannot be reported.
                    guard count > 0 || errno == EINTR else { break }
                    rest = rest.dropFirst(max(0, count))
                }
            }
            isDone.store(true, ordering: .releasing)
        }
    }

    func write(_ line: String) { lines.yield(line) }

    /// Waits until all lines are written, for a second at most: standard error may have no reader.
    func finish() async {
        lines.finish()
        for _ in 0..<1000 where !isDone.load(ordering: .acquiring) {
            try? await Task.sleep(for: .milliseconds(1))
        }
    }
}

/// Formats log messages as lines: `11:59:07.123456 debug side=old monitor=/run/vm.qmp: -> stop`.
struct LineLogHandler: LogHandler {
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel = Logger.Level.warning
    private let writer: LogWriter

    init(_ writer: LogWriter) { self.writer = writer }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:]) { $1 }
        let words = all.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
        writer.write(TerminalText("\(Self.time()) \(event.level)\(words): \(event.message)").raw + "\n")
    }

    /// The local time with microseconds.
    private static func time() -> String {
        var (now, parts) = (timespec(), tm())
        clock_gettime(CLOCK_REALTIME, &now)
        localtime_r(&now.tv_sec, &parts)
        func padded(_ number: some BinaryInteger, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
        }
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { padded($0, 2) }.joined(separator: ":")
        return "\(clock).\(padded(now.tv_nsec / 1000, 6))"
    }
}
