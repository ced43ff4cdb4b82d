import Synchronization

/// Measures the phases of a refresh and reports them.
final class PhaseClock: Sendable {
    private struct State {
        var current: (phase: Phase, since: ContinuousClock.Instant)?
        var timings: [PhaseTiming] = []
    }

    private let started = ContinuousClock.now
    private let state = Mutex(State())
    private let tell: @Sendable (ProgressEvent) -> Void

    init(tell: @escaping @Sendable (ProgressEvent) -> Void) { self.tell = tell }

    /// Ends the current phase, if there is one, and begins another.
    func begin(_ phase: Phase) {
        end()
        state.withLock { $0.current = (phase, .now) }
        tell(.began(phase))
    }

    /// Ends the current phase.
    func end() {
        let timing = state.withLock { state -> PhaseTiming? in
            guard let (phase, since) = state.current else { return nil }
            let timing = PhaseTiming(phase: phase, milliseconds: (.now - since).milliseconds)
            state.current = nil
            state.timings.append(timing)
            return timing
        }
        if let timing { tell(.ended(timing)) }
    }

    func note(_ text: String) { tell(.note(text)) }

    var timings: [PhaseTiming] { state.withLock { $0.timings } }

    var totalMilliseconds: Double { (.now - started).milliseconds }
}

extension Duration {
    var milliseconds: Double {
        Double(components.seconds) * 1000 + Double(components.attoseconds) / 1_000_000_000_000_000
    }
}
