import Handoff

/// One way in which performing an action may turn out.
struct Effect: Sendable {
    var world: World
    /// The answer, if the action is one that the controller waits for.
    var answer: HandoffEvent?
    /// What the controller hears in its own time.
    var notices: Notices = []
    /// The rule that was broken by performing it.
    var violation: Violation?
}

extension World {
    /// Every way in which performing the action may turn out in this world.
    func effects(of action: HandoffAction) -> [Effect] {
        switch action {
        case .record(let state): recording(state)
        case .launchNew: launching()
        case .link: linking()
        case .beginSwitch: beginningSwitch()
        case .resumeNew: resumingNew()
        case .retireOld: retiringOld()
        case .settle: settling()
        case .removeNew: removingNew()
        case .restoreOld(let resume): restoringOld(resume: resume)
        case .finish: []
        }
    }

    private func recording(_ state: HandoffState) -> [Effect] {
        var written = self
        written.journal = state
        if state.isCommitted { written.isCommitted = true }
        if state == .linked { written.isLinkRecorded = true }
        return [
            Effect(world: written, answer: .recorded(state), violation: lie(in: state)),
            Effect(world: self, answer: .recordFailed(state)),
        ]
    }

    /// A final record ends all care for the handoff, so it must be true at that moment.
    ///
    /// A side that died is not the record's lie; a side that was forgotten is.
    private func lie(in state: HandoffState) -> Violation? {
        let isTrue =
            switch state {
            case .rolledBack: !newIsAlive && !isCommitted && (oldHasGuestAsBefore || old == .gone)
            case .retired: old == .gone && isSettled && (newHasGuestAsBefore || new == .gone)
            case .lost: isCommitted ? new == .gone : old == .gone
            default: true
            }
        return isTrue || outsideHandWasHere ? nil : .untrueRecord
    }

    private func launching() -> [Effect] {
        guard new == .absent else { return [Effect(world: self, answer: .launchFailed)] }
        var launched = self
        launched.new = .waiting
        return [
            Effect(world: launched, answer: .launched),
            // It did start, but it did not answer in time.
            Effect(world: launched, answer: .launchFailed),
            Effect(world: self, answer: .launchFailed),
        ]
    }

    private func linking() -> [Effect] {
        let failed = Effect(world: self, answer: .linkFailed)
        return old == .idle && new == .waiting
            ? [Effect(world: self, answer: .linked(guestRuns: oldRuns)), failed] : [failed]
    }

    private func beginningSwitch() -> [Effect] {
        let refused = Effect(world: self, notices: .switchRefused)
        guard old == .idle else { return [refused] }
        var begun = self
        begun.old = .active
        return [
            Effect(world: begun),
            // It was heard, but the reply did not come in time.
            Effect(world: begun, notices: .switchRefused),
            refused,
        ]
    }

    private func resumingNew() -> [Effect] {
        switch new {
        case .running:
            return [Effect(world: self, notices: .newResumed)]
        case .loaded where end == .told:
            return [Effect(world: self, notices: .resumeRefused)]
        case .loaded:
            var resumed = self
            resumed.new = .running
            return [
                Effect(world: resumed, notices: .newResumed),
                // It was heard, but the reply did not come in time; or late, after RESUME.
                Effect(world: resumed, notices: .resumeRefused),
                Effect(world: resumed, notices: [.resumeRefused, .newResumed]),
                Effect(world: self, notices: .resumeRefused),
            ]
        case .gone:
            return [Effect(world: self), Effect(world: self, notices: .resumeRefused)]
        case .absent, .waiting, .failed:
            // QEMU would run it as soon as something is loaded.
            return [Effect(world: self, violation: .resumedBeforeLoaded)]
        }
    }

    private func retiringOld() -> [Effect] {
        guard old != .gone else { return [Effect(world: self, answer: .oldRetired)] }
        var retired = self
        retired.endOld()
        return [
            Effect(
                world: retired, answer: .oldRetired, notices: .oldIsGone,
                // Of a guest that has come to its own end nothing is left to own.
                violation: isCommitted || end != .none ? nil : .ownerEnded),
            Effect(world: self, answer: .oldSurvived),
        ]
    }

    private func settling() -> [Effect] {
        var settled = self
        settled.isSettled = true
        return [
            Effect(
                world: settled, answer: .settled,
                violation: isCommitted || old == .gone ? nil : .settledBeforeCommit),
            Effect(world: self, answer: .settleFailed),
        ]
    }

    private func removingNew() -> [Effect] {
        guard newIsAlive else { return [Effect(world: self, answer: .newRemoved)] }
        var removed = self
        removed.new = .gone
        return [
            Effect(
                world: removed, answer: .newRemoved, notices: .newExited,
                violation: isCommitted || new == .running ? .ownerEnded : nil),
            Effect(world: self, answer: .newSurvived),
        ]
    }

    private func restoringOld(resume: Bool) -> [Effect] {
        let failed = Effect(world: self, answer: .restoreFailed)
        guard old != .gone else { return [failed] }
        var restored = self
        // `migrate_cancel` in `finish-migrate` lets a guest run that ran before, asked or not.
        restored.takeBack(run: resume || oldRuns || (old == .handingOver && guestRan && end != .told))
        return [Effect(world: restored, answer: .oldRestored), failed]
    }
}
