/// An action that the controller has to perform.
///
/// The controller answers each action with exactly one of the events named with it.
package enum HandoffAction: Sendable, Hashable {
    /// Append the state to the journal: `recorded` or `recordFailed`.
    case record(HandoffState)
    /// Start the new side with its vCPUs stopped: `launched` or `launchFailed`.
    case launchNew
    /// Negotiate capabilities, prove that memory is the same, connect the channel: `linked` or `linkFailed`.
    case link
    /// Tell the old side to hand over: `switchRefused`, or later `oldCompleted`, `oldFailed`, `newCompleted`, …
    case beginSwitch
    /// Resume the new side's vCPUs: `newResumed` or `resumeRefused`.
    case resumeNew
    /// End the old side's process so that it can never run again: `oldRetired` or `oldSurvived`.
    case retireOld
    /// Move endpoints to their permanent names: `settled` or `settleFailed`.
    case settle
    /// End the new side's process and remove its traces: `newRemoved` or `newSurvived`.
    case removeNew
    /// Restore the old side, with its vCPUs running if they ran before: `oldRestored` or `restoreFailed`.
    ///
    /// Ordered only after the new side's process is known to be gone.
    case restoreOld(resume: Bool)
    /// The handoff is over.
    case finish(HandoffOutcome)

    /// The event that reports the failure of this action; `nil` if it cannot fail.
    package var failure: HandoffEvent? {
        switch self {
        case .record(let state): .recordFailed(state)
        case .launchNew: .launchFailed
        case .link: .linkFailed
        case .beginSwitch: .switchRefused
        case .resumeNew: .resumeRefused
        case .retireOld: .oldSurvived
        case .settle: .settleFailed
        case .removeNew: .newSurvived
        case .restoreOld: .restoreFailed
        case .finish: nil
        }
    }
}

/// The result of a handoff, which determines where the guest is.
package enum HandoffOutcome: Sendable, Hashable {
    /// The guest is on the new side, and the old one is gone completely.
    case refreshed
    /// The rehearsal reached a linked new side and removed it again; the guest was never touched.
    case rehearsed
    /// The guest is on the old side, as before.
    case rolledBack(HandoffFailure)
    /// The guest is on the new side, but retiring the old one, writing a record or settling an endpoint failed.
    case incomplete
    /// The guest is gone: the side that owned it died, or exited because the guest ended.
    case lost
    /// It could not be determined where the guest is; an operator must look.
    case unknown
}

/// Why a handoff was rolled back.
package enum HandoffFailure: String, Sendable, Hashable {
    /// The journal could not be written.
    case journal
    /// The new side could not be started, or died while it waited.
    case launch
    /// The two sides could not be linked.
    case link
    /// The state could not be handed over.
    case transfer
    /// A deadline passed.
    case deadline
    /// The operator cancelled.
    case cancelled
}
