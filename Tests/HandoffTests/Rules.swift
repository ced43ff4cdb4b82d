import Handoff

/// Every move that is possible in a situation, and the rules about moves.
struct Rules {
    let subject: Subject
    let isRehearsal: Bool
    /// Once, while no controller is there, somebody else may give a command to one of the sides.
    var admitsOutsideHand = false
    /// The guest may come to its own end.
    var guestMayEnd = false

    /// Called with each move, the situation it leads to, and whether it comes about in time if nothing else does.
    typealias Visit = (Move, Situation, Bool) throws(Violation) -> Void

    func start(guestRan: Bool, hasReturnPath: Bool) throws(Violation) -> Situation {
        var situation = Situation(
            world: World(guestRan: guestRan, hasReturnPath: hasReturnPath, guestMayEnd: guestMayEnd))
        let response = subject.begin(isRehearsal: isRehearsal)
        situation.phase = .live
        situation.machine = response.machine
        for action in response.actions { try situation.queue.append(action) }
        return situation
    }

    func moves(from situation: Situation, _ visit: Visit) throws(Violation) {
        try visitHappenings(situation, visit)
        switch situation.phase {
        case .away:
            try visitOutsideHands(situation, visit)
            try visitRecoveries(situation, visit)
        case .live:
            try visit(.crashes, situation.withoutController, false)
            try visitNews(situation, visit)
            try visitWork(situation, visit)
        case .recovering:
            try visit(.crashes, situation.withoutController, false)
            try visitStep(situation, visit)
        }
    }

    private func visitHappenings(_ situation: Situation, _ visit: Visit) throws(Violation) {
        for happening in Happening.allCases {
            var next = situation
            guard let notices = next.world.happen(happening) else { continue }
            if situation.phase == .live { next.notices.formUnion(notices) }
            // A live controller has to come to an end even if the world stands still.
            try visit(
                .happens(happening), next, situation.phase != .live && happening.isCertain(in: situation.world))
        }
    }

    private func visitOutsideHands(_ situation: Situation, _ visit: Visit) throws(Violation) {
        guard admitsOutsideHand, !situation.world.outsideHandWasHere, situation.world.journal != nil else { return }
        for hand in OutsideHand.allCases {
            var next = situation
            if next.world.touch(hand) { try visit(.somebody(hand), next, false) }
        }
    }
}

// MARK: - A live controller

extension Rules {
    private func visitNews(_ situation: Situation, _ visit: Visit) throws(Violation) {
        if !situation.notices.isEmpty {
            for (index, event) in Notices.all.enumerated() {
                let notice = Notices(rawValue: 1 << UInt16(index))
                guard situation.notices.contains(notice) else { continue }
                if situation.notices.contains(.guestEnded),
                    Notices.afterGuestEnded(situation.world.end).contains(notice)
                {
                    continue
                }
                var next = situation
                next.notices.remove(notice)
                try hear(event, &next)
                try visit(.hears(event), next, true)
                // The reply to `cont` and the RESUME event say the same.
                if notice == .newResumed {
                    next.notices.insert(notice)
                    try visit(.hears(event), next, false)
                }
            }
        }
        for event in [HandoffEvent.deadlinePassed, .cancelled] {
            var next = situation
            try hear(event, &next)
            // Told in vain, as often as not.
            if next.machine == situation.machine, next.queue.bits == situation.queue.bits { continue }
            try visit(.hears(event), next, event == .deadlinePassed)
        }
    }

    private func visitWork(_ situation: Situation, _ visit: Visit) throws(Violation) {
        var rest = situation
        if situation.answer > 0 {
            rest.answer = 0
            rest.queue.removeFirst()
            let event = Codes.events[situation.answer - 1]
            try hear(event, &rest)
            return try visit(.hears(event), rest, true)
        }
        guard let action = Codes.actions[situation.queue.first] else { return }
        if case .finish = action { return try visitFinish(action, situation, visit) }
        if action == .resumeNew, !situation.world.isCommitted { throw .newRunsBeforeCommit }
        for effect in situation.world.effects(of: situation.performed(action)) {
            if let violation = effect.violation { throw violation }
            var next = situation
            next.world = effect.world
            next.notices.formUnion(effect.notices)
            if let answer = effect.answer {
                next.answer = Codes.code(of: answer) + 1
            } else {
                next.queue.removeFirst()
            }
            try visit(.performs(action), next, true)
        }
    }

    /// What the controller leaves behind when it is done: the machine's last state on record, if that can be written.
    private func visitFinish(_ action: HandoffAction, _ situation: Situation, _ visit: Visit) throws(Violation) {
        for effect in situation.world.effects(of: .record(subject.state(of: situation.machine))) {
            if let violation = effect.violation { throw violation }
            try visit(.performs(action), Situation(world: effect.world), true)
        }
    }

    private func hear(_ event: HandoffEvent, _ situation: inout Situation) throws(Violation) {
        switch event {
        case .guestEnded: situation.wasToldGuestEnded = true
        case .oldExited, .oldRetired: situation.wasToldOldIsGone = true
        case .newExited, .newRemoved: situation.wasToldNewIsGone = true
        default: break
        }
        let response = subject.respond(situation.machine, to: Codes.code(of: event))
        situation.machine = response.machine
        for code in response.actions {
            if situation.queue.isClosed { throw .spokeAfterFinish }
            try situation.queue.append(code)
            switch Codes.actions[code] {
            case .finish(let outcome): try check(outcome, after: event, in: situation)
            case .removeNew where situation.wasToldOldIsGone && situation.world.newCanTakeOver:
                if !situation.wasToldGuestEnded { throw .onlyCopyDestroyed }
            case .resumeNew, .restoreOld(resume: true):
                if situation.wasToldGuestEnded { throw .endedGuestResumed }
            default: break
            }
        }
    }

    /// Holds an outcome against the world; only a death that the controller was not told of excuses it.
    private func check(
        _ outcome: HandoffOutcome, after event: HandoffEvent, in situation: Situation
    ) throws(Violation) {
        let world = situation.world
        let newHasIt = world.newHasGuestAsBefore || (world.new == .gone && !situation.wasToldNewIsGone)
        let oldHasIt = world.oldHasGuestAsBefore || (world.old == .gone && !situation.wasToldOldIsGone)
        let isTrue =
            switch outcome {
            case .refreshed: world.journal == .retired && world.old == .gone && world.isSettled && newHasIt
            case .incomplete: world.isCommitted && newHasIt
            case .rehearsed: isRehearsal && !world.newIsAlive && oldHasIt
            case .rolledBack: !world.isCommitted && !world.newIsAlive && oldHasIt
            case .lost: world.isCommitted ? world.new == .gone : world.old == .gone && !world.newCanTakeOver
            case .unknown: true
            }
        guard isTrue else { throw .untrueOutcome }
        guard outcome == .unknown else { return }
        if situation.wasToldOldIsGone, situation.wasToldNewIsGone { throw .needlesslyUnknown }
        switch event {
        case .newSurvived, .restoreFailed, .resumeRefused: break
        case .deadlinePassed where situation.wasToldOldIsGone: break
        case .recordFailed(.committed) where situation.wasToldOldIsGone: break
        default: throw .needlesslyUnknown
        }
    }
}

extension Situation {
    /// What is done for an action: before `cont` the old side was asked something, so that what it said before is heard.
    fileprivate func performed(_ action: HandoffAction) -> HandoffAction {
        guard case .restoreOld(resume: true) = action, notices.contains(.guestEnded) else { return action }
        return .restoreOld(resume: false)
    }
}

// MARK: - Recovery

extension Rules {
    private func visitRecoveries(_ situation: Situation, _ visit: Visit) throws(Violation) {
        guard let recorded = situation.world.journal else { return }
        let (old, new) = situation.world.observation
        for seenOld in old == .gone ? [old] : [old, .silent] {
            for seenNew in new == .gone ? [new] : [new, .silent] {
                let decision = subject.decide(situation.world, old: seenOld, new: seenNew)
                try check(decision, recorded: recorded, old: seenOld, new: seenNew, in: situation.world)
                var next = situation
                let steps = subject.steps(of: decision, recorded: recorded)
                if !steps.isEmpty {
                    next.phase = .recovering
                    next.steps = subject.number(ofSteps: steps)
                }
                let isTruthful = seenOld != .silent && seenNew != .silent
                try visit(.starts(old: seenOld, new: seenNew, decision), next, isTruthful)
            }
        }
    }

    private func check(
        _ decision: RecoveryDecision, recorded: HandoffState, old: SideObservation, new: SideObservation,
        in world: World
    ) throws(Violation) {
        if recorded.isFinal, decision != .finished { throw .endedHandoffTakenUp }
        if world.outsideHandWasHere { return }
        switch decision {
        case .mustLook:
            let isStillLoading = old == .gone && new == .waiting && ![.planned, .launched, .linked].contains(recorded)
            if old != .silent, new != .silent, !isStillLoading { throw .needlesslyLooked }
        case .lost, .keepOld:
            if world.old == .gone, !world.isCommitted, world.newCanTakeOver { throw .onlyCopyDestroyed }
        case .finished, .keepNew: break
        }
    }

    private func visitStep(_ situation: Situation, _ visit: Visit) throws(Violation) {
        let steps = subject.stepLists[situation.steps]
        let action = steps[situation.nextStep]
        for effect in situation.world.effects(of: action) {
            if let violation = effect.violation, !situation.world.outsideHandWasHere { throw violation }
            if effect.world.bothRun, !situation.world.bothRun { throw .bothRun }
            var next = situation
            next.world = effect.world
            next.nextStep += 1
            if !effect.isSuccess || next.nextStep == steps.count { next = next.withoutController }
            try visit(.steps(action), next, true)
        }
    }
}

extension Effect {
    /// A recovery goes on after this.
    var isSuccess: Bool {
        switch answer {
        case .recordFailed, .oldSurvived, .settleFailed, .newSurvived, .restoreFailed: false
        case nil: notices.contains(.newResumed)
        default: true
        }
    }
}

// MARK: - Recovery twice

extension Rules {
    /// Recovery, undisturbed, is the same when it is run once, twice, or again after an interruption at any step.
    func canRepeatRecovery(in world: World) -> Bool {
        let once = recovered(world)
        guard recovered(once).looksLike(once) else { return false }
        var interrupted = world
        for action in stepsOfRecovery(in: world) {
            guard let effect = interrupted.effects(of: action).first else { break }
            interrupted = effect.world
            guard recovered(interrupted).looksLike(once) else { return false }
        }
        return true
    }

    private func recovered(_ world: World) -> World {
        var world = world
        for action in stepsOfRecovery(in: world) {
            guard let effect = world.effects(of: action).first else { break }
            world = effect.world
            if !effect.isSuccess { break }
        }
        return world
    }

    private func stepsOfRecovery(in world: World) -> [HandoffAction] {
        guard let recorded = world.journal else { return [] }
        let (old, new) = world.observation
        return subject.steps(of: subject.decide(world, old: old, new: new), recorded: recorded)
    }
}

extension World {
    fileprivate func looksLike(_ other: World) -> Bool {
        observation == other.observation && journal == other.journal && isSettled == other.isSettled
    }
}
