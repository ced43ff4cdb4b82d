/// What can be seen of one side after the controller that drove the handoff is gone.
public enum SideObservation: Sendable, Hashable {
    /// No process with this pid and start time, or there never was one.
    case gone
    /// The process is there, but nobody could ask it anything.
    case silent
    /// The process answers; its guest's vCPUs run.
    case running
    /// The process answers; its vCPUs are stopped with the guest's state in it (QEMU: `paused`, `prelaunch`, …).
    case paused
    /// The process answers; it waits for state, or was in the middle of loading it (QEMU: `inmigrate`).
    case waiting
    /// The process answers; it is handing its state over, its vCPUs stopped (QEMU: `finish-migrate`).
    case handingOver
    /// The process answers; its state is handed over completely (QEMU: `postmigrate`).
    case handedOver
    /// The process answers; the guest is at its end (QEMU: `shutdown`, `guest-panicked`, `internal-error`, …).
    case ended
}

/// What to do about a handoff that was left unfinished.
public enum RecoveryDecision: Sendable, Hashable {
    /// The handoff had ended; nothing is left to do.
    case finished
    /// The guest is the old side's: remove the new side, then restore the old one.
    ///
    /// `resume`: the handoff may have stopped the guest; let its vCPUs run if they are stopped.
    case keepOld(resume: Bool)
    /// The guest is the new side's: retire the old side, let the new one run if `resume`, settle the endpoints.
    case keepNew(resume: Bool)
    /// The side that owned the guest is gone: remove what is left of the other, and say so.
    case lost
    /// No safe step exists without knowing more.
    case mustLook(String)
}

/// The recovery table: a recorded state, held against what is observed.
///
/// It decides nothing by the journal alone. Running it twice is harmless: what the first run brought about is what
/// the second observes.
public enum Recovery {
    /// Decides what to do.
    ///
    /// - Parameters:
    ///   - recorded: The last state in the journal.
    ///   - guestRan: Whether the guest's vCPUs ran before, as recorded when the sides were linked.
    ///   - old: What is seen of the old side.
    ///   - new: What is seen of the new side.
    /// - Returns: The one step that keeps the rules of ``HandoffMachine`` in every world that looks like this.
    public static func decide(
        recorded: HandoffState, guestRan: Bool, old: SideObservation, new: SideObservation
    ) -> RecoveryDecision {
        // Whatever the journal says: with both sides running, stopping either is a choice that only an operator can make.
        if old == .running, new == .running {
            return .mustLook("both QEMU processes report a running guest on the same memory")
        }
        switch recorded {
        // Intended at most: the new side may exist or not, but was never given state, and the old one was never asked.
        case .planned, .launched, .linked: return beforeSwitch(old: old, new: new)
        // The old side may be running, handing over, done, or back after a failure; the new one waiting or loaded.
        // `loaded` and `rollingBack` are on record only when a controller gave up there: not committed.
        case .switching, .loaded, .rollingBack: return duringSwitch(guestRan: guestRan, old: old, new: new)
        // `cont` may or may not have been sent. The old side must not run again, whatever became of the new one.
        case .committed: return afterCommit(resume: guestRan, old: old, new: new)
        // The new side ran: if it is paused now, somebody paused it since.
        case .running: return afterCommit(resume: false, old: old, new: new)
        case .retired, .rolledBack, .lost: return .finished
        }
    }

    private static func beforeSwitch(old: SideObservation, new: SideObservation) -> RecoveryDecision {
        switch (old, new) {
        // Not our doing: somebody fed the waiting side by other means.
        case (_, .running): return .mustLook("the new QEMU runs a guest although no switch was recorded")
        // The guest ended by itself, or with its QEMU, while a new side was being prepared.
        case (.gone, .gone), (.gone, .silent), (.gone, .waiting): return .lost
        // Not our doing either, and what it holds may be the only copy.
        case (.gone, _):
            return .mustLook("the old QEMU is gone, and the new one holds state that no switch brought there")
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
        // The same, and it came to its end there; or it had ended already, and was handed over like that.
        case (.gone, .ended), (.handedOver, .ended): return .keepNew(resume: false)
        // The old side died after the new one had loaded everything: nobody else can run, so the new one may.
        case (.gone, .paused): return .keepNew(resume: guestRan)
        // It may be reading the last of what the old one sent before it died. In a moment it is loaded, or dead.
        case (.gone, .waiting): return .mustLook("the old QEMU is gone and the new one is still loading; look again")
        // A new side that is silent may hold the only copy of the device state.
        case (.gone, .silent): return .mustLook("the old QEMU is gone and the new one does not answer")
        // The old side died before the new one had everything, or the new one died as well.
        case (.gone, .gone): return .lost
        // Somebody migrated it onwards.
        case (.gone, .handingOver), (.gone, .handedOver):
            return .mustLook("the old QEMU is gone and the new one hands the guest to somebody else")
        // It may be stopped with its state handed over, and removing the new side could destroy the other copy.
        case (.silent, _): return .mustLook("the old QEMU is alive but does not answer")
        // The guest came to its own end: nothing to resume.
        case (.ended, _): return .keepOld(resume: false)
        // Still running, handing over, done, or back by itself: the old side owns the guest until commit.
        default: return .keepOld(resume: guestRan)
        }
    }

    private static func afterCommit(
        resume: Bool, old: SideObservation, new: SideObservation
    ) -> RecoveryDecision {
        // Somebody resumed it by hand, and the guest's memory has moved on beneath the state the new side holds.
        if old == .running { return .mustLook("the old QEMU runs although the guest was committed to the new one") }
        switch new {
        // The guest's only owner is dead: its memory may have moved on, so the old side must never see it again.
        case .gone: return .lost
        case .silent: return .mustLook("the guest was committed to the new QEMU, which does not answer")
        case .running, .ended: return .keepNew(resume: false)
        case .paused: return .keepNew(resume: resume)
        // Commit is recorded only after the new side reported everything loaded.
        case .waiting, .handingOver, .handedOver:
            return .mustLook("the guest was committed to the new QEMU, which is not in a state that can own it")
        }
    }
}
