import CanaryTesting
import Foundation
import Glibc
import Linux
import Synchronization

/// Notes when each line of a nested canary arrives on this host, whichever hypervisor it comes from.
///
/// A guest in a guest has no clock that goes on while it is stopped: its RTC is kept by the clock of the hypervisor that it
/// is in. This host's clock goes on, so each line's own time is compared with the time of its arrival.
final class ConsoleWatch: Sendable {
    /// A line of the canary and when it was here, in microseconds on this host's CLOCK_MONOTONIC.
    struct Line: Sendable {
        let arrival: Int64
        let report: CanaryReport

        /// How far the guest's clock is behind this host's, but for a constant, in microseconds.
        var lag: Int64 { arrival - Int64(report.upMilliseconds) * 1000 }
    }

    private struct State {
        var lines: [Line] = []
        var isEnded = false
    }

    private let state = Mutex(State())
    private let path: String

    /// Begins at the file's present end.
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

    /// All that has arrived so far.
    var lines: [Line] { state.withLock { $0.lines } }

    /// What the canary said last; everything counts from its boot.
    var last: CanaryReport? { lines.last?.report }

    /// Waits for so many lines more.
    ///
    /// - Throws: ``BenchError`` when they do not come, or when the canary found something wrong.
    func wait(for more: Int) async throws {
        guard try await speaks(more) else { throw BenchError("a guest is silent; its console:\n\(lastWords())") }
    }

    /// Whether a guest says so many lines more within two minutes, one of which it takes a second for otherwise.
    ///
    /// - Throws: ``BenchError`` when the canary found something wrong.
    func speaks(_ more: Int) async throws -> Bool {
        let goal = lines.count + more
        return try await wait(within: .seconds(120)) { self.lines.count >= goal }
    }

    /// Waits until something is true of the canary's lines.
    ///
    /// - Returns: Whether it became true in time.
    /// - Throws: ``BenchError`` when the canary found something wrong.
    func wait(within patience: Duration, until condition: () -> Bool) async throws -> Bool {
        let end = ContinuousClock.now + patience
        while !condition() {
            guard ContinuousClock.now < end else { return false }
            try await Task.sleep(for: .milliseconds(50))
        }
        if let last, last.anomalies > 0 { throw BenchError("a canary found: \(last.anomaly)") }
        return true
    }

    /// The end of the console.
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

/// What a nested guest lived through at a handover, read from its console.
struct NestedGap: Sendable {
    /// The longest time between two looks at its clock around the handover, on that clock: the stop itself it cannot see.
    let gapMicroseconds: Int
    /// By how much its clock has fallen behind this host's: the time in which it did not exist.
    let clockMicroseconds: Int

    /// Lines before and after: of so many, one at least was not held up on its way.
    static let window = 5

    /// - Parameters:
    ///   - lines: What the guest said.
    ///   - begin: When its handover began, in microseconds on this host's CLOCK_MONOTONIC.
    ///   - end: When it ran again.
    init?(_ lines: [ConsoleWatch.Line], from begin: Int64, to end: Int64) {
        let before = lines.filter { $0.arrival < begin }.suffix(Self.window)
        let after = lines.filter { $0.arrival > end }.prefix(Self.window)
        guard let lagBefore = before.map(\.lag).min(), let lagAfter = after.map(\.lag).min() else { return nil }
        clockMicroseconds = Int(max(lagAfter - lagBefore, 0))
        // A line tells the longest gap since the line before it: the second after the end still reaches back to it.
        let around = lines.filter { $0.arrival >= begin && $0.arrival <= end } + after.prefix(2)
        gapMicroseconds = around.map(\.report.gapMicroseconds).max() ?? 0
    }
}
