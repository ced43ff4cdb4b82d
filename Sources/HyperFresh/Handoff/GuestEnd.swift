import Handoff
import JSON
import QMP

/// How a guest came to its own end, by the word of its QEMU.
///
/// From then on nobody wants its vCPUs to run: QEMU exits, or stays with the guest stopped (`-no-shutdown`,
/// `-action shutdown=pause`, `panic=pause`). See `SHUTDOWN` and `GUEST_PANICKED` in qapi/run-state.json.
enum GuestEnd: Sendable, Hashable {
    /// It powered itself off, or rebooted where that counts as such (`-no-reboot`).
    case shutDown
    /// It panicked.
    case panicked

    /// The events that may tell of one.
    static let events: Set<String> = ["SHUTDOWN", "GUEST_PANICKED"]

    /// Reads an event; `nil` where the guest goes on, or where somebody ends QEMU and not the guest.
    init?(_ event: QMPEvent) {
        switch event.name {
        case "SHUTDOWN" where Self.isGuests(event): self = .shutDown
        // With `pause` QEMU has stopped the guest, with `poweroff` it is about to exit as well.
        case "GUEST_PANICKED" where event.data["action"]?.string != "run": self = .panicked
        default: return nil
        }
    }

    /// `quit`, a signal and a closed window end QEMU itself, whatever it was told to do about its guest: then the end of the
    /// process tells, as it does when QEMU is killed.
    private static func isGuests(_ event: QMPEvent) -> Bool {
        switch event.data["reason"]?.string {
        case "host-qmp-quit", "host-signal", "host-ui": false
        case nil: event.data["guest"]?.bool ?? false
        default: true
        }
    }
}

/// That a guest came to its own end while it was handed over, and how far the handoff was then.
struct EndedGuest: Sendable, Hashable {
    let end: GuestEnd
    /// The old side had stopped it already, so that what is handed over does not tell.
    let wasStopped: Bool
    /// The new side had been told to run it already.
    let wasResumed: Bool

    /// What happened, for a person.
    var message: String {
        switch end {
        case .shutDown: "the guest shut itself down during the refresh"
        case .panicked: "the guest panicked during the refresh"
        }
    }

    /// Where the guest is after a handoff that came to this outcome, and what can be done with it.
    ///
    /// - Parameters:
    ///   - outcome: How the handoff ended.
    ///   - old: The old side, for a sentence: `the old QEMU (pid 4711)`.
    ///   - new: The new side.
    /// - Returns: `nil` where its own end is not what matters.
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
            return "\(what), and its QEMU ended with it. Its memory file and disks are as it left them."
        }
        if wasResumed {
            return """
                \(what), which was heard only when \(side) ran it already: see whether it hangs. `system_reset` starts it \
                anew, `quit` ends it.
                """
        }
        return """
            \(what). It is on \(side), its vCPUs stopped: `system_reset` and `cont` start it anew, `quit` ends it.
            """
    }
}
