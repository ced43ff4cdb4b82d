/// The state of one side, as observed after the controller that drove the handoff is gone.
package enum SideObservation: Sendable, Hashable {
    /// No process with this pid and start time, or there never was one.
    case gone
    /// The process exists, but does not answer.
    case silent
    /// The process answers; its guest's vCPUs run.
    case running
    /// The process answers; its vCPUs are stopped with the guest's state in it (QEMU: `paused`, `prelaunch`, …).
    case paused
    /// The process answers; it waits for state, or was in the middle of loading it (QEMU: `inmigrate`).
    case waiting
    /// The process answers; it is handing over its state with its vCPUs stopped (QEMU: `finish-migrate`).
    case handingOver
    /// The process answers; it has handed over all state (QEMU: `postmigrate`).
    case handedOver
    /// The process answers; the guest has ended (QEMU: `shutdown`, `guest-panicked`, `internal-error`, …).
    case ended
}

/// The decision about an unfinished handoff.
package enum RecoveryDecision: Sendable, Hashable {
    /// The handoff had ended; nothing is left to do.
    case finished
    /// The old side owns the guest: remove the new side, then restore the old one.
    ///
    /// `resume`: the handoff may have stopped the guest; resume its vCPUs if they are stopped.
    case keepOld(resume: Bool)
    /// The new side owns the guest: retire the old side, resume the new one if `resume`, settle the endpoints.
    case keepNew(resume: Bool)
    /// The side that owned the guest is gone: remove the rest of the other, and report the loss.
    case lost
    /// No step is safe without knowing more; the text tells why.
    case mustLook(String)
}

/// The recovery table: compares the recorded state with the observed one.
///
/// It never decides by the journal alone. Running recovery twice is harmless: the second run observes the effects of
/// the first.
package enum Recovery {
    /// Decides how to recover.
    ///
    /// - Parameters:
    ///   - recorded: The last state in the journal.
    ///   - guestRan: Whether the guest's vCPUs ran before, as recorded when the sides were linked.
    ///   - old: The observation of the old side.
    ///   - new: The observation of the new side.
    /// - Returns: The one step that keeps the rules of ``HandoffMachine`` in every situation that looks like this.
    package static func decide(
        recorded: HandoffState, guestRan: Bool, old: SideObservation, new: SideObservation
    ) -> RecoveryDecision {
        // For every recorded state: if both sides run, only an operator can choose which one to stop.
        if old == .running, new == .running {
            return .mustLook("both QEMU processes report a running guest on the same memory")
        }
        switch recorded {
        // Intended at most: the new side may exist or not, but it was never given state, and the old one never asked
        // for it.
        case .planned, .launched, .linked: return beforeSwitch(old: old, new: new)
        // The old side may be running, handing over, done, or back after a failure; the new one waiting or loaded.
        // `loaded` and `rollingBack` are on record only if a controller gave up there: not committed.
        case .switching, .loaded, .rollingBack: return duringSwitch(guestRan: guestRan, old: old, new: new)
        // `cont` may or may not have been sent. The old side must not run again, even if the new one is gone.
        case .committed: return afterCommit(resume: guestRan, old: old, new: new)
        // The new side ran: if it is paused now, somebody has paused it since.
        case .running: return afterCommit(resume: false, old: old, new: new)
        case .retired, .rolledBack, .lost: return .finished
        }
    }

    private static func beforeSwitch(old: SideObservation, new: SideObservation) -> RecoveryDecision {
        switch (old, new) {
        // hyperfresh did not do this: somebody else sent state to the waiting side.
        case (_, .running): return .mustLook("the new QEMU runs a guest although no switch was recorded")
        // The guest or its QEMU ended while a new side was being prepared.
        case (.gone, .gone), (.gone, .silent), (.gone, .waiting): return .lost
        // hyperfresh did not do this either, and the new side may hold the only copy.
        case (.gone, _):
            return .mustLook("the old QEMU is gone, and the new one holds state although no switch was recorded")
        // The old side was not touched, so it needs no resuming: if it is paused, somebody else paused it.
        default: return .keepOld(resume: false)
        }
    }

    private static func duringSwitch(
        guestRan: Bool, old: SideObservation, new: SideObservation
    ) -> RecoveryDecision {
        switch (old, new) {
        // Somebody sent `cont` to a loaded new side by hand, and the old one is stopped or dead: the guest has moved.
        case (.gone, .running), (.handedOver, .running): return .keepNew(resume: false)
        case (_, .running): return .mustLook("the new QEMU runs the guest, but the old one has not handed it over")
        // The same, and the guest ended there; or it had ended already, and was handed over in that state.
        case (.gone, .ended), (.handedOver, .ended): return .keepNew(resume: false)
        // The old side died after the new one had loaded everything: nothing else can run, so the new one may.
        case (.gone, .paused): return .keepNew(resume: guestRan)
        // It may be reading the last data that the old one sent before it died. It will soon be loaded, or dead.
        case (.gone, .waiting): return .mustLook("the old QEMU is gone and the new one is still loading; look again")
        // A silent new side may hold the only copy of the device state.
        case (.gone, .silent): return .mustLook("the old QEMU is gone and the new one does not answer")
        // The old side died before the new one had everything, or the new one died as well.
        case (.gone, .gone): return .lost
        // Somebody migrated the guest to a third process.
        case (.gone, .handingOver), (.gone, .handedOver):
            return .mustLook("the old QEMU is gone and the new one is migrating the guest to another process")
        // The old side may be stopped with its state handed over, and removing the new one could destroy the other
        // copy.
        case (.silent, _): return .mustLook("the old QEMU is alive but does not answer")
        // The guest has ended: there is nothing to resume.
        case (.ended, _): return .keepOld(resume: false)
        // Still running, handing over, done, or resumed after a failure: the old side owns the guest until commit.
        default: return .keepOld(resume: guestRan)
        }
    }

    private static func afterCommit(
        resume: Bool, old: SideObservation, new: SideObservation
    ) -> RecoveryDecision {
        // Somebody resumed it by hand, and the guest's memory no longer matches the state that the new side holds.
        if old == .running { return .mustLook("the old QEMU runs although the guest was committed to the new one") }
        switch new {
        // The guest's only owner is dead. It may have changed the memory, so the old side must never use it again.
        case .gone: return .lost
        case .silent: return .mustLook("the guest was committed to the new QEMU, which does not answer")
        case .running, .ended: return .keepNew(resume: false)
        case .paused: return .keepNew(resume: resume)
        // Commit is recorded only after the new side has reported everything loaded.
        case .waiting, .handingOver, .handedOver:
            return .mustLook("the guest was committed to the new QEMU, which is not in a state that can own it")
        }
    }
}
