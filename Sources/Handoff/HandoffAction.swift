/// What the controller has to do next.
///
/// Each action is answered by exactly one of the events named with it.
public enum HandoffAction: Sendable, Hashable {
    /// Append the state to the journal: `recorded` or `recordFailed`.
    case record(HandoffState)
    /// Start the new side, its vCPUs stopped: `launched` or `launchFailed`.
    case launchNew
    /// Agree on capabilities, prove the memory, hand both the channel: `linked` or `linkFailed`.
    case link
    /// Tell the old side to hand over: `switchRefused`, or in time `oldCompleted`, `oldFailed`, `newCompleted`, …
    case beginSwitch
    /// Let the new side's vCPUs run: `newResumed` or `resumeRefused`.
    case resumeNew
    /// End the old side's process so that it can never run again: `oldRetired` or `oldSurvived`.
    case retireOld
    /// Put endpoints at their lasting names: `settled` or `settleFailed`.
    case settle
    /// End the new side's process and remove its traces: `newRemoved` or `newSurvived`.
    case removeNew
    /// Bring the old side back to what it was, its vCPUs running if they ran: `oldRestored` or `restoreFailed`.
    ///
    /// Only ever ordered once the new side's process is known to be gone.
    case restoreOld(resume: Bool)
    /// The handoff is over.
    case finish(HandoffOutcome)

    /// The answer by which the action has failed; `nil` where it cannot.
    public var failure: HandoffEvent? {
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

/// How a handoff ended, and so where the guest is.
public enum HandoffOutcome: Sendable, Hashable {
    /// The guest is on the new side; nothing is left of the old one.
    case refreshed
    /// The rehearsal went well up to a linked new side, which was removed again. The guest was never touched.
    case rehearsed
    /// The guest is on the old side, as before.
    case rolledBack(HandoffFailure)
    /// The guest is on the new side, but something of the old one, or a record, or an endpoint, is not as it should be.
    case incomplete
    /// The guest is gone: the side that owned it died, or ended because the guest had come to its own end.
    case lost
    /// The guest's whereabouts could not be settled; an operator must look.
    case unknown
}

/// Why a handoff was rolled back.
public enum HandoffFailure: String, Sendable, Hashable {
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
