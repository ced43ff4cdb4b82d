/// What a guest lived through at a handover, read from its datagrams.
struct GuestGap: Sendable, Hashable {
    /// The longest time, on the host's clock, in which it got nothing done around the handover.
    let gapMicroseconds: Int
    /// By how much its own clock has fallen behind the host's: the time in which it did not exist.
    let clockMicroseconds: Int
    /// Datagrams that never arrived.
    let lost: Int

    /// How many datagrams before and after a moment tell the lag there: of so many one at least was not held up.
    static let window = 40

    /// Finds the handover by its trace: from one datagram to the next the guest's clock has fallen behind for good.
    ///
    /// A datagram can only be late, never early, so the least lag among several is the true one.
    init?(_ beats: [Beat]) {
        guard beats.count > 2 * Self.window else { return nil }
        let positions = Self.window...(beats.count - Self.window)
        func lag(_ range: Range<Int>) -> Int64 { beats[range].lazy.map(\.lag).min() ?? 0 }
        let steps = positions.map { lag($0..<$0 + Self.window) - lag($0 - Self.window..<$0) }
        guard let step = steps.max(), step > 0, let index = steps.firstIndex(of: step) else { return nil }
        let first = Self.window + index
        let threshold = lag(first - Self.window..<first) + step / 2
        // The last one that was sent before the stop.
        guard let last = beats[..<(first + 1)].lastIndex(where: { $0.lag < threshold }) else { return nil }
        let neighbours = max(last - 1, 0)...min(last + 2, beats.count - 2)
        gapMicroseconds = Int((neighbours.map { beats[$0 + 1].host - beats[$0].host }.max() ?? 0) / 1000)
        clockMicroseconds = Int(step / 1000)
        lost = Int(beats[beats.count - 1].sequence - beats[0].sequence) + 1 - beats.count
    }
}
