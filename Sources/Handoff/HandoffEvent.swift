/// What happened in the world, as the controller saw it.
public enum HandoffEvent: Sendable, Hashable {
    /// The journal holds this state.
    case recorded(HandoffState)
    /// The journal could not be written; the record of this state does not exist.
    case recordFailed(HandoffState)

    /// The new side's process exists and answers, waiting for state with its vCPUs stopped.
    case launched
    /// The new side could not be started. There may be remains of it.
    case launchFailed
    /// Capabilities are agreed, memory is proven the same, and the channel is in both hands.
    ///
    /// `guestRuns` is whether the old side's vCPUs run at this moment: a guest that was paused stays paused.
    case linked(guestRuns: Bool)
    /// The two sides cannot be linked.
    case linkFailed

    /// The guest came to its own end on the old side: it powered itself off, or panicked and was stopped for it.
    ///
    /// Heard before whatever the old side reports later, its exit included.
    case guestEnded

    /// The old side could not be told to hand over.
    case switchRefused
    /// The old side reports its state handed over completely; its vCPUs are stopped for good unless told otherwise.
    case oldCompleted
    /// The old side reports that handing over failed.
    ///
    /// Its falling silent is no such report: it may have died with everything sent, which `oldExited` will tell.
    case oldFailed
    /// The old side's process is gone.
    case oldExited
    /// The new side reports all state loaded; its vCPUs are stopped.
    case newCompleted
    /// The new side reports that loading failed.
    case newFailed
    /// The new side's process is gone.
    case newExited

    /// The new side's vCPUs run.
    case newResumed
    /// The new side refused to run its vCPUs.
    case resumeRefused

    /// The old side's process is gone, as ordered.
    case oldRetired
    /// The old side's process could not be ended.
    case oldSurvived
    /// Endpoints are at their lasting names.
    case settled
    /// Some endpoint could not be put in its place.
    case settleFailed

    /// The new side's process is gone, as ordered, and its traces with it.
    case newRemoved
    /// The new side's process could not be ended.
    case newSurvived
    /// The old side is as it was before the refresh.
    case oldRestored
    /// The old side could not be brought back to what it was.
    case restoreFailed

    /// A deadline passed.
    case deadlinePassed
    /// The operator wants out.
    case cancelled
}
