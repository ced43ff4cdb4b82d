import Handoff

/// Mistakes in the machine, each of which the checker must find.
enum MachineMutation: String, CaseIterable, Sendable {
    case commitsOnceNewHasCompleted
    case commitsOnceOldHasCompleted
    case writesCommitRecordAfterResume
    case runsWithoutCommitRecord
    case ignoresFailedRecords
    case switchesWithoutRecord
    case takesEveryGuestForRunning
    case leavesOldStopped
    case restoresOldBeforeNewIsGone
    case retiresOldBeforeCommit
    case rollsBackAfterCommit
    case settlesBeforeCommit
    case isDeafToOldsDeath
    case isDeafToRunningNewsDeath
    case isDeafToDeadline
    case isDeafToGuestsEnd
    case switchesInRehearsal
    case speaksAfterFinish
    case callsForHelpAtOnce
    case ordersTwice

    /// The rule by which it is found first.
    var guilt: Violation {
        switch self {
        case .commitsOnceNewHasCompleted: .oldRunsAfterCommit
        case .commitsOnceOldHasCompleted: .needlesslyLooked
        case .writesCommitRecordAfterResume: .newRunsBeforeCommit
        case .runsWithoutCommitRecord: .newRunsBeforeCommit
        case .ignoresFailedRecords: .unrecordedEffect
        case .switchesWithoutRecord: .unrecordedEffect
        case .takesEveryGuestForRunning: .pausedGuestRuns
        case .leavesOldStopped: .untrueRecord
        case .restoresOldBeforeNewIsGone: .untrueRecord
        case .retiresOldBeforeCommit: .ownerEnded
        case .rollsBackAfterCommit: .bothRun
        case .settlesBeforeCommit: .settledBeforeCommit
        case .isDeafToOldsDeath: .needlesslyUnknown
        case .isDeafToRunningNewsDeath: .untrueOutcome
        case .isDeafToDeadline: .stuck
        case .isDeafToGuestsEnd: .endedGuestResumed
        case .switchesInRehearsal: .rehearsalTouchedGuest
        case .speaksAfterFinish: .spokeAfterFinish
        case .callsForHelpAtOnce: .needlesslyUnknown
        case .ordersTwice: .ordersPileUp
        }
    }

    /// What it does harm to.
    var victim: Start {
        switch self {
        case .commitsOnceOldHasCompleted: Start(hasReturnPath: false)
        case .takesEveryGuestForRunning: Start(guestRan: false)
        case .switchesInRehearsal: Start(isRehearsal: true)
        case .isDeafToGuestsEnd: Start(guestMayEnd: true)
        default: Start()
        }
    }
}

/// The machine, with one mistake or none.
struct MutatedMachine: Hashable, Sendable {
    private var machine: HandoffMachine
    private let mutation: MachineMutation?
    private var owed: [HandoffAction] = []

    init(isRehearsal: Bool, mutation: MachineMutation?) {
        machine = HandoffMachine(isRehearsal: isRehearsal && mutation != .switchesInRehearsal)
        self.mutation = mutation
    }

    var state: HandoffState { machine.state }
    var outcome: HandoffOutcome? { machine.outcome }

    func begin() -> [HandoffAction] { machine.begin() }

    mutating func handle(_ event: HandoffEvent) -> [HandoffAction] {
        guard let mutation else { return machine.handle(event) }
        switch (mutation, event) {
        case (.commitsOnceNewHasCompleted, .newCompleted):
            return machine.handle(.oldCompleted) + machine.handle(event)
        case (.commitsOnceOldHasCompleted, .oldCompleted):
            return machine.handle(.newCompleted) + machine.handle(event)
        case (.runsWithoutCommitRecord, .recordFailed(.committed)):
            return machine.handle(.recorded(.committed))
        case (.ignoresFailedRecords, .recordFailed(let state)):
            return machine.handle(.recorded(state))
        case (.takesEveryGuestForRunning, .linked):
            return machine.handle(.linked(guestRuns: true))
        case (.isDeafToOldsDeath, .oldExited), (.isDeafToDeadline, .deadlinePassed),
            (.isDeafToGuestsEnd, .guestEnded):
            return []
        case (.isDeafToRunningNewsDeath, .newExited) where machine.state == .running:
            return []
        case (.rollsBackAfterCommit, .resumeRefused) where machine.state == .committed:
            return [.restoreOld(resume: true)]
        case (.writesCommitRecordAfterResume, .newResumed) where !owed.isEmpty:
            defer { owed = [] }
            return owed + machine.handle(event)
        case (.restoresOldBeforeNewIsGone, .oldRestored), (.restoresOldBeforeNewIsGone, .restoreFailed):
            defer { owed = [] }
            return owed + machine.handle(event)
        case (.restoresOldBeforeNewIsGone, .newRemoved):
            return []
        case (.speaksAfterFinish, _) where machine.outcome != nil:
            return [.settle]
        default:
            return machine.handle(event).flatMap { change($0, because: mutation) }
        }
    }

    /// Orders something else than the machine wants.
    private mutating func change(_ action: HandoffAction, because mutation: MachineMutation) -> [HandoffAction] {
        switch (mutation, action) {
        case (.writesCommitRecordAfterResume, .record(.committed)):
            owed = [action]
            return machine.handle(.recorded(.committed))
        case (.switchesWithoutRecord, .record(.switching)):
            return machine.handle(.recorded(.switching))
        case (.leavesOldStopped, .restoreOld):
            return [.restoreOld(resume: false)]
        case (.restoresOldBeforeNewIsGone, .removeNew):
            owed = [action]
            return machine.handle(.newRemoved)
        case (.retiresOldBeforeCommit, .record(.committed)):
            return [.retireOld, action]
        case (.settlesBeforeCommit, .record(.committed)):
            return [.settle, action]
        case (.callsForHelpAtOnce, .removeNew):
            return [.finish(.unknown)]
        case (.ordersTwice, .removeNew):
            return [action, action]
        default:
            return [action]
        }
    }
}

/// Mistakes in recovery, each of which the checker must find.
enum RecoveryMutation: String, CaseIterable, Sendable {
    case trustsJournalAlone
    case resurrectsOldAfterCommit
    case alwaysResumes
    case neverResumes
    case abandonsLoadedNew
    case abandonsLoadingNew
    case runsLoadingNew
    case givesUpSilentNew
    case alwaysCallsOperator
    case takesUpEndedHandoffs
    case restoresOldBeforeNewIsGone
    case forgetsToRecordTheEnd
    case leavesOldAlive

    /// The rule by which it is found first.
    var guilt: Violation {
        switch self {
        case .trustsJournalAlone: .onlyCopyDestroyed
        case .resurrectsOldAfterCommit: .oldRunsAfterCommit
        case .alwaysResumes: .pausedGuestRuns
        case .neverResumes: .untrueRecord
        case .abandonsLoadedNew: .onlyCopyDestroyed
        case .abandonsLoadingNew: .onlyCopyDestroyed
        case .runsLoadingNew: .resumedBeforeLoaded
        case .givesUpSilentNew: .untrueRecord
        case .alwaysCallsOperator: .needlesslyLooked
        case .takesUpEndedHandoffs: .endedHandoffTakenUp
        case .restoresOldBeforeNewIsGone: .staleStateRuns
        case .forgetsToRecordTheEnd: .stuck
        case .leavesOldAlive: .untrueRecord
        }
    }

    /// What it does harm to.
    var victim: Start { self == .alwaysResumes ? Start(guestRan: false) : Start() }

    func decide(
        _ genuine: RecoveryDecision, recorded: HandoffState, guestRan: Bool, old: SideObservation, new: SideObservation
    ) -> RecoveryDecision {
        switch (self, genuine) {
        case (.trustsJournalAlone, _):
            return Recovery.decide(
                recorded: recorded, guestRan: guestRan,
                old: recorded.isCommitted ? .handedOver : .running, new: recorded.isCommitted ? .paused : .waiting)
        case (.resurrectsOldAfterCommit, .lost) where recorded.isCommitted: return .keepOld(resume: guestRan)
        case (.alwaysResumes, .keepOld): return .keepOld(resume: true)
        case (.alwaysResumes, .keepNew): return .keepNew(resume: true)
        case (.neverResumes, .keepOld): return .keepOld(resume: false)
        case (.neverResumes, .keepNew): return .keepNew(resume: false)
        case (.abandonsLoadedNew, .keepNew) where !recorded.isCommitted: return .lost
        case (.abandonsLoadingNew, .mustLook) where old == .gone && new == .waiting: return .lost
        case (.runsLoadingNew, .mustLook) where old == .gone && new == .waiting: return .keepNew(resume: true)
        case (.givesUpSilentNew, .mustLook) where new == .silent: return .lost
        case (.alwaysCallsOperator, .keepOld), (.alwaysCallsOperator, .keepNew): return .mustLook("anything")
        case (.takesUpEndedHandoffs, .finished) where recorded == .retired: return .keepNew(resume: guestRan)
        default: return genuine
        }
    }

    func steps(_ genuine: [HandoffAction]) -> [HandoffAction] {
        switch self {
        case .restoresOldBeforeNewIsGone where genuine.first == .removeNew && genuine.count == 3:
            return [genuine[1], genuine[0], genuine[2]]
        case .forgetsToRecordTheEnd:
            return genuine.filter { $0 != .record(.retired) && $0 != .record(.rolledBack) && $0 != .record(.lost) }
        case .leavesOldAlive: return genuine.filter { $0 != .retireOld }
        default: return genuine
        }
    }
}
