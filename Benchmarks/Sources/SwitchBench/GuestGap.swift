/// The effect of a handover on a guest, computed from its datagrams.
struct GuestGap: Sendable, Hashable {
    /// The longest interval without progress around the handover, on the host's clock.
    let gapMicroseconds: Int
    /// The increase of its clock's lag behind the host's: the time during which it was stopped.
    let clockMicroseconds: Int
    /// Datagrams that never arrived.
    let lost: Int

    /// The number of datagrams on each side used to determine the lag: at least one of them was not delayed.
    static let window = 40

    /// Finds the handover: from one datagram to the next, the guest's clock has fallen behind permanently.
    ///
    /// A datagram can only be late, never early, so the smallest lag among several is the true one.
    init?(_ beats: [Beat]) {
        guard beats.count > 2 * Self.window else { return nil }
        let positions = Self.window...(beats.count - Self.window)
        func lag(_ range: Range<Int>) -> Int64 { beats[range].lazy.map(\.lag).min() ?? 0 }
        let steps = positions.map { lag($0..<$0 + Self.window) - lag($0 - Self.window..<$0) }
        guard let step = steps.max(), step > 0, let index = steps.firstIndex(of: step) else { return nil }
        let first = Self.window + index
        let threshold = lag(first - Self.window..<first) + step / 2
        // The last datagram that was sent before the stop.
        guard let last = beats[..<(first + 1)].lastIndex(where: { $0.lag < threshold }) else { return nil }
        let neighbours = max(last - 1, 0)...min(last + 2, beats.count - 2)
        gapMicroseconds = Int((neighbours.map { beats[$0 + 1].host - beats[$0].host }.max() ?? 0) / 1000)
        clockMicroseconds = Int(step / 1000)
        lost = Int(beats[beats.count - 1].sequence - beats[0].sequence) + 1 - beats.count
    }
}
