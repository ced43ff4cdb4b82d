/// An event that the controller observed.
package enum HandoffEvent: Sendable, Hashable {
    /// The journal holds this state.
    case recorded(HandoffState)
    /// The journal could not be written; the record of this state does not exist.
    case recordFailed(HandoffState)

    /// The new side's process exists and answers; it waits for state with its vCPUs stopped.
    case launched
    /// The new side could not be started; parts of it may exist.
    case launchFailed
    /// Capabilities are negotiated, the memory is proven the same, and both sides have their end of the channel.
    ///
    /// `guestRuns` tells whether the old side's vCPUs run at this moment: a guest that was paused stays paused.
    case linked(guestRuns: Bool)
    /// The two sides cannot be linked.
    case linkFailed

    /// The guest ended on the old side: it powered itself off, or it panicked and was stopped for that.
    ///
    /// Arrives before anything that the old side reports later, including its exit.
    case guestEnded

    /// The old side could not be told to hand over.
    case switchRefused
    /// The old side reports that it has handed over all state; its vCPUs stay stopped unless they are resumed.
    case oldCompleted
    /// The old side reports that handing over failed.
    ///
    /// Silence is not a failure report: the old side may have died after it sent everything, which `oldExited` reports.
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
    /// Endpoints are at their permanent names.
    case settled
    /// An endpoint could not be moved to its permanent name.
    case settleFailed

    /// The new side's process is gone, as ordered, and its traces with it.
    case newRemoved
    /// The new side's process could not be ended.
    case newSurvived
    /// The old side is as it was before the refresh.
    case oldRestored
    /// The old side could not be restored.
    case restoreFailed

    /// A deadline passed.
    case deadlinePassed
    /// The operator cancelled.
    case cancelled
}
