import CanaryTesting
import Foundation
import Glibc

/// Measures every method on every shape of guest, one handover after the other; methods take turns.
struct SwitchRun {
    let shapes: [GuestShape]
    let methods: [Method]
    /// The number of handovers by each method for each guest of a load.
    let rounds: [GuestShape.Load: Int]
    /// Pre-copy, which takes seconds, takes part only in every so many rounds.
    let precopyEvery: Int
    let tools: Tools
    let scratch: Scratch

    /// The number of datagrams, about 1.2 ms apart, before the next handover, so that caches are warm again.
    private static let settleBeats = 200

    func run(into results: inout SwitchResults) async throws {
        for shape in shapes {
            var guests: [BenchGuest.Memory: BenchGuest] = [:]
            for memory in Set(methods.map(\.memory)) {
                guests[memory] = try BenchGuest(shape, memory: memory, tools: tools, scratch: scratch)
            }
            for guest in guests.values { try guest.waitUntilReady() }
            let counts = try await measure(shape, guests, into: &results)
            for (memory, guest) in guests {
                results.witnesses.append(try witness(guest, handovers: counts[memory] ?? 0))
                await guest.end()
            }
        }
    }

    private func measure(
        _ shape: GuestShape, _ guests: [BenchGuest.Memory: BenchGuest], into results: inout SwitchResults
    ) async throws -> [BenchGuest.Memory: Int] {
        let rounds = rounds[shape.load] ?? 0
        var counts: [BenchGuest.Memory: Int] = [:]
        var active: BenchGuest.Memory?
        // Both guests have been running so far.
        for guest in guests.values { try await guest.setRunning(false) }
        try await takeTurns(methods, rounds: rounds) { round, method in
            Progress.show("\(shape.name): round \(round) of \(rounds)")
            guard method != .precopy || (round - 1) % precopyEvery == 0, let guest = guests[method.memory]
            else { return }
            if active != method.memory {
                if let active { try await guests[active]?.setRunning(false) }
                try await guest.setRunning(true)
                active = method.memory
            }
            let (handover, gap) = try await measure(method, guest)
            results.add(handover, gap, shape: shape, method: method)
            counts[method.memory, default: 0] += 1
        }
        if let active { try await guests[active]?.setRunning(false) }
        for guest in guests.values { try await guest.setRunning(true) }
        return counts
    }

    private func measure(_ method: Method, _ guest: BenchGuest) async throws -> (Handover, GuestGap) {
        try guest.waitForBeats(Self.settleBeats)
        let first = guest.beats.count - GuestGap.window
        let handover = try await method.handOver(guest, tools: tools, scratch: scratch)
        try guest.waitForBeats(2 * GuestGap.window)
        guard let gap = GuestGap(guest.beats.all(from: first)) else {
            throw BenchError("the guest's clock shows no handover")
        }
        return (handover, gap)
    }

    private func witness(_ guest: BenchGuest, handovers: Int) throws -> SwitchResults.Witness {
        // Wait for two more reports, which would include any anomaly.
        Clock.sleep(milliseconds: 2200)
        let report = try guest.report()
        guard report.anomalies == 0 else {
            throw BenchError("the canary of \(guest.shape.name) found: \(report.anomaly)")
        }
        return SwitchResults.Witness(
            shape: guest.shape, memory: guest.memory.rawValue, handovers: handovers,
            pagesVerified: report.pagesVerified,
            anomalies: report.anomalies)
    }
}

/// A progress line on a terminal; prints nothing elsewhere.
enum Progress {
    static func show(_ text: String) {
        guard isatty(2) == 1 else { return }
        FileHandle.standardError.write(Data("\r\u{1b}[K\(text)".utf8))
    }

    /// Prints a line that stays, also without a terminal.
    static func say(_ text: String) {
        clear()
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }

    static func clear() { show("") }
}
