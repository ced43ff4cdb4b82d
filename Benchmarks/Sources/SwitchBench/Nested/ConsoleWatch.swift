import CanaryTesting
import Foundation
import Glibc
import Linux
import Synchronization

/// Records the arrival time of each line of a nested canary on this host, whichever hypervisor runs it.
///
/// A nested guest has no clock that continues while it is stopped: its RTC follows the clock of its hypervisor. This
/// host's clock continues, so each line's own time is compared with the time of its arrival.
final class ConsoleWatch: Sendable {
    /// A line of the canary and its arrival time, in microseconds on this host's CLOCK_MONOTONIC.
    struct Line: Sendable {
        let arrival: Int64
        let report: CanaryReport

        /// The guest clock's lag behind this host's, plus a constant, in microseconds.
        var lag: Int64 { arrival - Int64(report.upMilliseconds) * 1000 }
    }

    private struct State {
        var lines: [Line] = []
        var isEnded = false
    }

    private let state = Mutex(State())
    private let path: String

    /// Starts at the current end of the file.
    init(path: String) {
        self.path = path
        let start = (try? Files.status(path).size) ?? 0
        Thread.detachNewThread { [weak self] in
            var position = start
            var rest: [UInt8] = []
            while let self, !self.state.withLock({ $0.isEnded }) {
                self.read(from: &position, &rest)
                Clock.sleep(milliseconds: 3)
            }
        }
    }

    func end() { state.withLock { $0.isEnded = true } }

    /// All lines so far.
    var lines: [Line] { state.withLock { $0.lines } }

    /// The canary's last report; all figures count from its boot.
    var last: CanaryReport? { lines.last?.report }

    /// Waits for a number of further lines.
    ///
    /// - Throws: ``BenchError`` if they do not arrive, or the canary found an anomaly.
    func wait(for more: Int) async throws {
        guard try await speaks(more) else { throw BenchError("a guest is silent; its console:\n\(lastWords())") }
    }

    /// Returns whether a guest sends a number of further lines within two minutes; normally, it sends one each second.
    ///
    /// - Throws: ``BenchError`` if the canary found an anomaly.
    func speaks(_ more: Int) async throws -> Bool {
        let goal = lines.count + more
        return try await wait(within: .seconds(120)) { self.lines.count >= goal }
    }

    /// Waits until a condition on the canary's lines holds.
    ///
    /// - Returns: Whether it held in time.
    /// - Throws: ``BenchError`` if the canary found an anomaly.
    func wait(within patience: Duration, until condition: () -> Bool) async throws -> Bool {
        let end = ContinuousClock.now + patience
        while !condition() {
            guard ContinuousClock.now < end else { return false }
            try await Task.sleep(for: .milliseconds(50))
        }
        if let last, last.anomalies > 0 { throw BenchError("a canary found: \(last.anomaly)") }
        return true
    }

    /// Returns the end of the console log.
    func lastWords() -> String {
        let bytes = (try? Files.readAll(path, limit: 64 << 20)) ?? []
        return String(decoding: bytes.suffix(1000), as: UTF8.self)
    }

    private func read(from position: inout Int64, _ rest: inout [UInt8]) {
        guard let size = try? Files.status(path).size, size > position,
            let file = try? Descriptor.open(path, flags: O_RDONLY)
        else { return }
        var bytes = [UInt8](repeating: 0, count: Int(min(size - position, 1 << 20)))
        let count = pread(file.number, &bytes, bytes.count, off_t(position))
        let arrival = Clock.monotonic() / 1000
        guard count > 0 else { return }
        position += Int64(count)
        rest += bytes.prefix(count)
        guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { return }
        let text = String(decoding: rest[...end], as: UTF8.self)
        rest.removeSubrange(...end)
        let lines = text.split(whereSeparator: \.isNewline).compactMap { CanaryReport(line: $0) }
        state.withLock { $0.lines += lines.map { Line(arrival: arrival, report: $0) } }
    }
}

/// The effect of a handover on a nested guest, computed from its console.
struct NestedGap: Sendable {
    /// The longest interval between two looks at its clock around the handover, on that clock; this excludes the stop
    /// itself.
    let gapMicroseconds: Int
    /// The increase of its clock's lag behind this host's: the time during which it was stopped.
    let clockMicroseconds: Int

    /// The number of lines on each side: at least one of them was not delayed.
    static let window = 5

    /// - Parameters:
    ///   - lines: The guest's lines.
    ///   - begin: The start of its handover, in microseconds on this host's CLOCK_MONOTONIC.
    ///   - end: The time at which it ran again.
    init?(_ lines: [ConsoleWatch.Line], from begin: Int64, to end: Int64) {
        let before = lines.filter { $0.arrival < begin }.suffix(Self.window)
        let after = lines.filter { $0.arrival > end }.prefix(Self.window)
        guard let lagBefore = before.map(\.lag).min(), let lagAfter = after.map(\.lag).min() else { return nil }
        clockMicroseconds = Int(max(lagAfter - lagBefore, 0))
        // A line reports the longest gap since the previous line: the second line after the end still reaches back to
        // it.
        let around = lines.filter { $0.arrival >= begin && $0.arrival <= end } + after.prefix(2)
        gapMicroseconds = around.map(\.report.gapMicroseconds).max() ?? 0
    }
}
