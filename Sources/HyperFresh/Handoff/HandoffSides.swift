import Handoff

/// The actions of a handoff, on two sides.
///
/// The machine knows only that there is an old side and a new one; a conforming type implements these.
protocol HandoffActions: Sendable {
    /// Appends the state to the journal: one write, without waiting.
    func record(_ state: HandoffState) -> HandoffEvent

    /// Tells the old side to hand over, without waiting; reports the result to the driver.
    ///
    /// - Returns: An event if it failed immediately.
    func beginSwitch() -> HandoffEvent?

    /// Resumes the new side, without waiting; reports the result to the driver.
    ///
    /// - Returns: An event if it failed immediately.
    func resumeNew() -> HandoffEvent?

    // The other actions return when they are done, in bounded time. A cancelled task ends early and returns the
    // failure.

    /// Starts the new side, which waits.
    func launch() async -> HandoffEvent
    /// Prepares both sides for the switch, and proves that they have the same guest.
    func link() async -> HandoffEvent
    /// Ends the old side permanently.
    func retire() async -> HandoffEvent
    /// Moves the guest's endpoints and records to the new side.
    func settle() async -> HandoffEvent
    /// Ends the new side and removes everything created for it.
    func removeNew() async -> HandoffEvent
    /// Restores the old side, which runs if `resume`.
    func restoreOld(resume: Bool) async -> HandoffEvent
}

/// The two sides of a handoff: its actions, and the facts for its report.
protocol HandoffSides: HandoffActions {
    /// The durations of the switch; `nil` if it was not completed.
    var timing: SwitchTiming? { get }
    /// The guest's end, if it ended during the handoff.
    var endedGuest: EndedGuest? { get }
    /// Both sides, as named in a sentence: `the old QEMU (pid 4711)`.
    var names: (old: String, new: String) { get }

    /// Checks that the subject is on the new side in the expected state, before that is reported.
    func lookAgain(after outcome: HandoffOutcome) async -> LastLook

    /// Adds the facts to a report that only these sides know.
    ///
    /// - Parameters:
    ///   - report: The report, with outcome, timing and failure.
    ///   - handoff: The outcome of the handoff.
    ///   - look: The result of the last look.
    func complete(_ report: inout HandoffReport, after handoff: HandoffOutcome, _ look: LastLook)

    /// Stops watching and closes all connections; neither side is affected.
    func close() async
}

extension HandoffSides {
    var endedGuest: EndedGuest? { nil }

    func complete(_ report: inout HandoffReport, after handoff: HandoffOutcome, _ look: LastLook) {}
}
