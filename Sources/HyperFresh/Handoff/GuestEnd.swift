import Handoff
import JSON
import QMP

/// How a guest ended, as its QEMU reports it.
///
/// From then on its vCPUs must not run: QEMU exits, or stays with the guest stopped (`-no-shutdown`, `-action
/// shutdown=pause`, `panic=pause`). See `SHUTDOWN` and `GUEST_PANICKED` in qapi/run-state.json.
enum GuestEnd: Sendable, Hashable {
    /// It powered itself off, or it rebooted and that ends QEMU (`-no-reboot`).
    case shutDown
    /// It panicked.
    case panicked

    /// The events that may report an end.
    static let events: Set<String> = ["SHUTDOWN", "GUEST_PANICKED"]

    /// Interprets an event; `nil` if the guest continues, or if somebody ends QEMU and not the guest.
    init?(_ event: QMPEvent) {
        switch event.name {
        case "SHUTDOWN" where Self.isGuests(event): self = .shutDown
        // With `pause` QEMU has stopped the guest, with `poweroff` it is about to exit as well.
        case "GUEST_PANICKED" where event.data["action"]?.string != "run": self = .panicked
        default: return nil
        }
    }

    /// Returns whether the guest itself caused the event.
    ///
    /// `quit`, a signal and a closed window end QEMU itself, regardless of its settings for the guest: then the exit of
    /// the process counts, as when QEMU is killed.
    private static func isGuests(_ event: QMPEvent) -> Bool {
        switch event.data["reason"]?.string {
        case "host-qmp-quit", "host-signal", "host-ui": false
        case nil: event.data["guest"]?.bool ?? false
        default: true
        }
    }
}

/// The end of a guest during its handoff, and how far the handoff had progressed.
struct EndedGuest: Sendable, Hashable {
    let end: GuestEnd
    /// Whether the old side had stopped the guest already, so that the state handed over does not show the end.
    let wasStopped: Bool
    /// Whether the new side had already been told to run the guest.
    let wasResumed: Bool

    /// The description for messages.
    var message: String {
        switch end {
        case .shutDown: "the guest shut itself down during the refresh"
        case .panicked: "the guest panicked during the refresh"
        }
    }

    /// Returns where the guest is after a handoff with this outcome, and how to restart or end it.
    ///
    /// - Parameters:
    ///   - outcome: The outcome of the handoff.
    ///   - old: The old side, as named in a sentence: `the old QEMU (pid 4711)`.
    ///   - new: The new side.
    /// - Returns: A text for messages; `nil` if the guest's end does not matter for the outcome.
    func whereabouts(after outcome: HandoffOutcome, old: String, new: String) -> String? {
        switch outcome {
        case .refreshed, .incomplete: whereabouts(on: new)
        case .rehearsed, .rolledBack: whereabouts(on: old)
        case .lost: wasResumed ? nil : whereabouts(on: nil)
        case .unknown: nil
        }
    }

    private func whereabouts(on side: String?) -> String {
        let what = "T\(message.dropFirst())"
        guard let side else {
            return "\(what), and its QEMU exited. Its memory file and disks are as the guest left them."
        }
        if wasResumed {
            return """
                \(what). QEMU reported this only after \(side) had resumed the guest: check whether it hangs. \
                `system_reset` restarts it, `quit` ends it.
                """
        }
        return """
            \(what). It is on \(side) with its vCPUs stopped: `system_reset` and `cont` restart it, `quit` ends it.
            """
    }
}
