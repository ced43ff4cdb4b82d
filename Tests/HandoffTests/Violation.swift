import Handoff

/// The rules that hold in every reachable situation.
enum Violation: String, Error, CaseIterable, Sendable {
    /// The vCPUs of both sides run.
    case bothRun
    /// The old side's vCPUs run although a commit record was written.
    case oldRunsAfterCommit
    /// The new side's vCPUs run although no commit record was written.
    case newRunsBeforeCommit
    /// The new side runs from a state that is older than the guest's memory.
    case staleStateRuns
    /// The new side was told to run before it had loaded anything.
    case resumedBeforeLoaded
    /// A guest that was paused runs.
    case pausedGuestRuns
    /// A guest that had told of its own end was ordered to run.
    case endedGuestResumed
    /// The side that owns the guest was ended by the controller.
    case ownerEnded
    /// The only copy of the guest's state was destroyed knowingly.
    case onlyCopyDestroyed
    /// Something was done of which the journal does not know.
    case unrecordedEffect
    /// A final record says what is not so.
    case untrueRecord
    /// An outcome says what is not so, as far as the controller was told.
    case untrueOutcome
    /// An outcome is left open without need.
    case needlesslyUnknown
    /// A rehearsal touched the guest.
    case rehearsalTouchedGuest
    /// Endpoints were moved before commit.
    case settledBeforeCommit
    /// The machine said something after it had finished.
    case spokeAfterFinish
    /// Actions are ordered while earlier ones are still waiting to be performed.
    case ordersPileUp
    /// An operator was called although both sides could be asked and nobody else had touched them.
    case needlesslyLooked
    /// A handoff that had ended was taken up again.
    case endedHandoffTakenUp
    /// Recovering a second time changed something.
    case secondRecoveryDiffers
    /// From here, no end can be reached.
    case stuck
}

extension World {
    /// The rule that this world breaks, whatever the controller is doing.
    func violation(isRehearsal: Bool) -> Violation? {
        // What somebody else did cannot be undone; that no step of ours makes both run is asked elsewhere.
        if outsideHandWasHere { return nil }
        if bothRun { return .bothRun }
        if oldRuns, isCommitted { return .oldRunsAfterCommit }
        // Recovery may find the new side loaded and the old one dead, and resume it without further ado.
        if new == .running, !isCommitted, old != .gone { return .newRunsBeforeCommit }
        if new == .running, newIsStale { return .staleStateRuns }
        if !guestRan, oldRuns || new == .running { return .pausedGuestRuns }
        if journal == nil, new != .absent { return .unrecordedEffect }
        if channel != .idle || old == .active, !switchIsRecorded, old != .gone { return .unrecordedEffect }
        if isRehearsal, old != .idle && old != .gone || isCommitted { return .rehearsalTouchedGuest }
        return nil
    }

    private var switchIsRecorded: Bool {
        switch journal {
        case nil, .planned, .launched, .linked: false
        default: true
        }
    }
}
