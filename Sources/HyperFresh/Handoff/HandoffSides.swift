import Handoff

/// The actions of a handoff, on two sides.
///
/// The machine knows only that there is an old side and a new one; this knows what they are.
protocol HandoffActions: Sendable {
    /// Appends the state to the journal: one write, no waiting.
    func record(_ state: HandoffState) -> HandoffEvent

    /// Tells the old side to hand over, without waiting; what becomes of it is reported to the driver.
    ///
    /// - Returns: An event if it failed at once.
    func beginSwitch() -> HandoffEvent?

    /// Lets the new side run, without waiting; what becomes of it is reported to the driver.
    ///
    /// - Returns: An event if it failed at once.
    func resumeNew() -> HandoffEvent?

    // The other actions are performed to their end, in bounded time. A cancelled task ends early, with the failing answer.

    /// Has a new side, which waits.
    func launch() async -> HandoffEvent
    /// Makes both sides ready for the switch, and sure that they have the same guest.
    func link() async -> HandoffEvent
    /// Ends the old side, for good.
    func retire() async -> HandoffEvent
    /// Puts what others know the guest by in its place.
    func settle() async -> HandoffEvent
    /// Ends the new side, and what was made for it.
    func removeNew() async -> HandoffEvent
    /// Brings the old side back to where it was, running if `resume`.
    func restoreOld(resume: Bool) async -> HandoffEvent
}

/// The two sides of a handoff: its actions, and what a report tells of them.
protocol HandoffSides: HandoffActions {
    /// The moments of the switch; `nil` when it did not come to its end.
    var timing: SwitchTiming? { get }
    /// That the guest ended by itself meanwhile, if it did.
    var endedGuest: EndedGuest? { get }
    /// Both sides, for a sentence: `the old QEMU (pid 4711)`.
    var names: (old: String, new: String) { get }

    /// Looks whether the subject is on the new side as it should be, before that is reported.
    func lookAgain(after outcome: HandoffOutcome) async -> LastLook

    /// Adds to a report what only these sides know.
    ///
    /// - Parameters:
    ///   - report: With outcome, timing and failure.
    ///   - handoff: What the handoff came to.
    ///   - look: What was seen after it.
    func complete(_ report: inout HandoffReport, after handoff: HandoffOutcome, _ look: LastLook)

    /// Stops watching and closes what was opened; neither side notices.
    func close() async
}

extension HandoffSides {
    var endedGuest: EndedGuest? { nil }

    func complete(_ report: inout HandoffReport, after handoff: HandoffOutcome, _ look: LastLook) {}
}
