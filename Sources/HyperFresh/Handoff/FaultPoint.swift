import Glibc
import Handoff
import Synchronization

/// Places where a test may have this process die or stand still, to see that the guest ends where it should.
///
/// Inert unless `HYPERFRESH_FAULT` names one, as `DEED-after-PLACE:NAME`, with `:COUNT` for the so-manieth time:
///
/// - the deed is `kill`, or `stop` (SIGSTOP: whoever watches may do something to the two QEMUs, and send SIGCONT);
/// - the place is `record` with the name of a state, or `action` with that of an action that was performed, or asked for
///   (`beginSwitch`, `resumeNew`).
///
/// The record of `planned` is written twice: before anything is done, and with the new process in it.
enum FaultPoint {
    private struct Choice {
        let signal: Int32
        let place: String
        let count: Int

        init?(_ text: String) {
            let words = text.split(separator: ":").map(String.init)
            let signals = ["kill": SIGKILL, "stop": SIGSTOP]
            guard (2...3).contains(words.count),
                let (deed, signal) = signals.first(where: { words[0].hasPrefix("\($0.key)-after-") })
            else { return nil }
            self.signal = signal
            place = "\(words[0].dropFirst("\(deed)-after-".count)):\(words[1])"
            count = words.count == 3 ? Int(words[2]) ?? 1 : 1
        }
    }

    private static let choice = getenv("HYPERFRESH_FAULT").flatMap { Choice(String(cString: $0)) }
    private static let passed = Atomic(0)

    /// The journal holds this state.
    static func recorded(_ state: HandoffState) {
        if let choice { pass("record:\(state.rawValue)", choice) }
    }

    /// The action has its answer, or is under way if nobody waits for one.
    static func performed(_ action: HandoffAction) {
        // `restoreOld(resume: true)` is named by its first word.
        if let choice { pass("action:\("\(action)".prefix { $0 != "(" })", choice) }
    }

    private static func pass(_ place: String, _ choice: Choice) {
        guard place == choice.place, passed.add(1, ordering: .relaxed).newValue == choice.count else { return }
        // To this very thread: nothing more is done before the signal is.
        raise(choice.signal)
    }
}
