import Glibc
import Handoff

/// Places where a test may have this process die, to see that recovery finds the guest where it should be.
///
/// Inert unless `HYPERFRESH_FAULT` names one: `kill-after-record:STATE`.
enum FaultPoint {
    private static let chosen: HandoffState? = {
        guard let value = getenv("HYPERFRESH_FAULT") else { return nil }
        let words = String(cString: value).split(separator: ":")
        guard words.count == 2, words[0] == "kill-after-record" else { return nil }
        return HandoffState(rawValue: String(words[1]))
    }()

    /// The journal holds this state.
    static func recorded(_ state: HandoffState) {
        if chosen == state { kill(getpid(), SIGKILL) }
    }
}
