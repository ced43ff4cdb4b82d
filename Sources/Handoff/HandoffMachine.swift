/// The handoff of one guest from an old side to a new one: events in, actions out.
///
/// A plain value: no I/O, no clock, no lock, and no knowledge of the kind of the two sides. The controller performs the
/// actions in the order given and answers each with an event. The machine guarantees, for every order of events:
///
/// 1. ``HandoffAction/resumeNew`` is only ordered after the journal holds ``HandoffState/committed``, which is only
///    ordered once the new side is loaded and the old one has completed or is dead.
/// 2. ``HandoffAction/restoreOld(resume:)`` is never ordered after commit, and only with the new side gone.
/// 3. ``HandoffAction/retireOld`` is only ordered after commit.
/// 4. A guest that was paused, or that has ended, is not resumed on either side.
/// 5. ``HandoffAction/removeNew`` is never ordered while the old side is known to be dead and the new one may still
///    hold the guest's state: it would be the only copy. If the guest has ended, there is nothing left to keep.
/// 6. An outcome never contradicts the events: a guest whose owner is known to be dead is ``HandoffOutcome/lost``.
package struct HandoffMachine: Sendable, Hashable {
    /// How far the handoff has progressed.
    package private(set) var state = HandoffState.planned

    /// The result of the handoff; `nil` while it is in progress.
    package private(set) var outcome: HandoffOutcome?

    /// Whether the guest's vCPUs ran when the two sides were linked.
    package private(set) var guestRuns = false

    private let isRehearsal: Bool
    private var failure: HandoffFailure?
    private var guestHasEnded = false
    private var oldHasCompleted = false
    private var oldIsGone = false
    private var newIsLoaded = false
    private var newIsGone = false
    private var switchHasBegun = false
    private var resumeAttempts = 0
    private var oldMakesWay = false
    private var newHasResumed = false
    private var isBlemished = false

    /// Creates the machine of a handoff that has not begun.
    ///
    /// - Parameter isRehearsal: Stop at a linked new side and remove it again; the guest is never paused.
    package init(isRehearsal: Bool = false) {
        self.isRehearsal = isRehearsal
    }

    /// Returns the first actions of a handoff.
    package func begin() -> [HandoffAction] { [.record(.planned)] }

    /// Processes an event and returns the actions to perform next.
    package mutating func handle(_ event: HandoffEvent) -> [HandoffAction] {
        guard outcome == nil else { return [] }
        note(event)
        switch state {
        case .planned, .launched, .linked: return prepare(event)
        case .switching: return transfer(event)
        case .loaded: return commit(event)
        case .committed: return resume(event)
        case .running: return retire(event)
        case .rollingBack: return rollBack(event)
        case .lost: return bury(event)
        case .retired, .rolledBack: return []
        }
    }

    /// Stores facts that hold from now on, in every state in which the event may arrive.
    private mutating func note(_ event: HandoffEvent) {
        switch event {
        case .guestEnded: guestHasEnded = true
        case .oldCompleted: oldHasCompleted = true
        case .oldExited, .oldRetired: oldIsGone = true
        case .newCompleted: newIsLoaded = true
        case .newExited, .newRemoved: newIsGone = true
        case .newResumed: newHasResumed = true
        default: break
        }
    }
}

// MARK: - Before the switch: the guest runs on the old side and notices nothing

extension HandoffMachine {
    private mutating func prepare(_ event: HandoffEvent) -> [HandoffAction] {
        switch event {
        case .recorded(.planned): return [.launchNew]
        case .launched:
            state = .launched
            return [.record(.launched)]
        case .recorded(.launched): return [.link]
        case .linked(let guestRuns):
            self.guestRuns = guestRuns
            state = .linked
            return [.record(.linked)]
        case .recorded(.linked): return isRehearsal ? undo(because: nil) : [.record(.switching)]
        case .recorded(.switching):
            state = .switching
            switchHasBegun = true
            return [.beginSwitch]
        case .recordFailed: return undo(because: .journal)
        case .launchFailed, .newExited, .newFailed: return undo(because: .launch)
        case .linkFailed: return undo(because: .link)
        case .oldExited: return undo(because: .transfer)
        case .deadlinePassed: return undo(because: .deadline)
        case .cancelled: return undo(because: .cancelled)
        default: return []
        }
    }
}

// MARK: - The switch: STOP to commit

extension HandoffMachine {
    private mutating func transfer(_ event: HandoffEvent) -> [HandoffAction] {
        // If the guest powered itself off and its QEMU exited, the guest is over: the new side must not bring it back.
        if oldIsGone { return guestHasEnded ? undo(because: .transfer) : awaitOnlyCopy(event) }
        switch event {
        case .oldCompleted, .newCompleted: return commitIfLoaded()
        // A completed handover cannot fail any more, but a monitor may report a failure when it is torn down.
        case .oldFailed where oldHasCompleted: return []
        case .switchRefused, .oldFailed, .newFailed, .newExited: return undo(because: .transfer)
        case .deadlinePassed: return undo(because: .deadline)
        case .cancelled: return undo(because: .cancelled)
        default: return []
        }
    }

    /// Waits for the new side after the old one died in the switch: it will soon have loaded everything that was sent.
    ///
    /// A dead old side is as good as a completed one: it cannot run again. But the new side may hold the only copy of
    /// the guest's state; no cancellation and no deadline justifies its loss.
    private mutating func awaitOnlyCopy(_ event: HandoffEvent) -> [HandoffAction] {
        switch event {
        case .oldExited, .newCompleted: return commitIfLoaded()
        case .newFailed, .newExited: return undo(because: .transfer)
        case .deadlinePassed: return finish(.unknown)
        default: return []
        }
    }

    private mutating func commitIfLoaded() -> [HandoffAction] {
        // Require both: until the old side has completed, it may still fail and resume automatically.
        guard newIsLoaded, oldHasCompleted || oldIsGone else { return [] }
        state = .loaded
        return [.record(.committed)]
    }

    /// Waits for the answer to the order to write the commit record; until then no other event may decide.
    private mutating func commit(_ event: HandoffEvent) -> [HandoffAction] {
        switch event {
        case .recorded(.committed):
            state = .committed
            return newIsGone ? lose() : tryToResume()
        case .recordFailed(.committed):
            // The old side is dead and the new one is the only copy: keep it until the journal can be written.
            return oldIsGone && !newIsGone && !guestHasEnded ? finish(.unknown) : undo(because: .journal)
        default: return []
        }
    }
}

// MARK: - After commit: the new side owns the guest

extension HandoffMachine {
    private mutating func resume(_ event: HandoffEvent) -> [HandoffAction] {
        switch event {
        // While the old side is being retired its answer decides: a resume that seemed refused may still succeed.
        case .newResumed: return oldMakesWay ? [] : takeOver()
        case .newExited: return oldMakesWay ? [] : lose()
        case .resumeRefused where !oldMakesWay:
            // The old side may block the new one (an image lock). It may go now: retire it and resume once more.
            if resumeAttempts > 1, !guestHasEnded { return finish(.unknown) }
            if oldIsGone { return tryToResume() }
            oldMakesWay = true
            return [.retireOld]
        case .oldRetired, .oldSurvived:
            oldMakesWay = false
            if newIsGone { return lose() }
            return newHasResumed ? takeOver() : tryToResume()
        default: return []
        }
    }

    /// Resumes the new side unless the guest was paused, or has ended since.
    private mutating func tryToResume() -> [HandoffAction] {
        guard guestRuns, !guestHasEnded else { return takeOver() }
        resumeAttempts += 1
        return [.resumeNew]
    }

    private mutating func takeOver() -> [HandoffAction] {
        state = .running
        return [.record(.running)]
    }

    private mutating func retire(_ event: HandoffEvent) -> [HandoffAction] {
        switch event {
        case .recorded(.running): return [.retireOld]
        case .recordFailed(.running):
            isBlemished = true
            return [.retireOld]
        case .oldRetired: return newIsGone ? lose() : [.settle]
        case .oldSurvived:
            isBlemished = true
            return newIsGone ? lose() : [.settle]
        case .settled where !newIsGone && !isBlemished: return [.record(.retired)]
        case .settled, .settleFailed, .recordFailed(.retired): return newIsGone ? lose() : finish(.incomplete)
        case .recorded(.retired):
            if newIsGone { return lose() }
            state = .retired
            return finish(.refreshed)
        // An action is always in progress here: when its answer arrives, the new side is found gone.
        default: return []
        }
    }
}

// MARK: - Lost: the owner is dead, and the other side must not run in its place

extension HandoffMachine {
    private mutating func lose() -> [HandoffAction] {
        let oldMustGo = state.isCommitted && !oldIsGone
        state = .lost
        return oldMustGo ? [.retireOld] : [.record(.lost)]
    }

    private mutating func bury(_ event: HandoffEvent) -> [HandoffAction] {
        switch event {
        case .oldRetired, .oldSurvived: return [.record(.lost)]
        // The guest is lost whether or not the journal could be written; recovery finds the same.
        case .recorded(.lost), .recordFailed(.lost): return finish(.lost)
        default: return []
        }
    }
}

// MARK: - Rolling back: only before commit

extension HandoffMachine {
    private mutating func undo(because failure: HandoffFailure?) -> [HandoffAction] {
        self.failure = failure
        state = .rollingBack
        return [.removeNew]
    }

    private mutating func rollBack(_ event: HandoffEvent) -> [HandoffAction] {
        switch event {
        case .newRemoved, .newSurvived:
            // A new side that cannot be ended might still run: the old one must not be resumed next to it.
            guard newIsGone else { return finish(.unknown) }
            // Resume only what this handoff stopped: not a guest that was paused before, nor one that has ended.
            return oldIsGone ? lose() : [.restoreOld(resume: guestRuns && switchHasBegun && !guestHasEnded)]
        case .oldRestored: return oldIsGone ? lose() : [.record(.rolledBack)]
        case .restoreFailed: return oldIsGone ? lose() : finish(.unknown)
        // The guest is back whether or not the journal could be written; recovery finds the same and does nothing.
        case .recorded(.rolledBack), .recordFailed(.rolledBack):
            if oldIsGone { return lose() }
            state = .rolledBack
            return finish(failure.map(HandoffOutcome.rolledBack) ?? .rehearsed)
        default: return []
        }
    }

    private mutating func finish(_ outcome: HandoffOutcome) -> [HandoffAction] {
        self.outcome = outcome
        return [.finish(outcome)]
    }
}
