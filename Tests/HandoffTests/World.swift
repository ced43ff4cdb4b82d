import Handoff

/// A model of what a handoff happens to: two QEMUs, the channel between them, and the journal.
///
/// Both QEMUs map the same RAM, so it is modelled only by what matters: a loaded new side whose state is older than the
/// RAM (because the old side's vCPUs ran again) is stale, and must never run.
struct World: Sendable {
    enum Old: UInt8 {
        /// It has the guest, running or paused, and no migration is going on.
        case idle
        /// It was told to hand over and has not stopped the guest yet.
        case active
        /// Its vCPUs are stopped and its state is being sent, or sent and not yet acknowledged (`finish-migrate`).
        case handingOver
        /// `postmigrate`.
        case completed
        case gone
    }

    enum New: UInt8 {
        case absent
        /// `inmigrate`: waiting for state, or loading it.
        case waiting
        /// It could not load what it got, and is about to exit.
        case failed
        /// `paused`, the guest's state in it.
        case loaded
        case running
        case gone
    }

    enum Channel: UInt8 {
        case idle
        case flowing
        /// All of the state is on its way: the old side is not needed for loading it any more.
        case complete
        /// The old side has been told, on the return path, that all is loaded.
        case acknowledged
        case broken
    }

    /// How the guest came to its own end on the old side.
    enum End: UInt8 {
        case none
        /// The old side stopped it for the switch before it looked at its wish: what it handed over does not tell.
        case untold
        /// Its run state says so, and goes along.
        case told
    }

    var old = Old.idle
    var oldRuns: Bool
    var new = New.absent
    var channel = Channel.idle
    var end = End.none
    /// The old side calls its guest `postmigrate` although it has it again.
    var isPostmigrate = false
    /// The old side's vCPUs have run since the state was taken that the new side holds.
    var newIsStale = false
    /// The last state that the journal holds.
    var journal: HandoffState?
    /// The journal holds a commit record.
    var isCommitted = false
    /// The journal holds whether the guest ran.
    var isLinkRecorded = false
    var isSettled = false
    /// Somebody who is not the controller gave a command to one of the sides.
    var outsideHandWasHere = false

    /// The guest's vCPUs ran when all began.
    let guestRan: Bool
    let hasReturnPath: Bool
    /// The guest may come to its own end.
    let guestMayEnd: Bool

    init(guestRan: Bool, hasReturnPath: Bool, guestMayEnd: Bool = false) {
        self.guestMayEnd = guestMayEnd
        self.guestRan = guestRan
        self.hasReturnPath = hasReturnPath
        self.oldRuns = guestRan
    }

    var bothRun: Bool { oldRuns && new == .running }
    var newIsAlive: Bool { new != .absent && new != .gone }

    /// The new side has, or will have without the old side's help, a state that the guest can go on from.
    var newCanTakeOver: Bool {
        (new == .loaded && !newIsStale) || new == .running || (new == .waiting && channel == .complete)
    }

    // Whether a guest that has come to its own end runs is not the world's to judge: the orders are.
    var oldHasGuestAsBefore: Bool { old == .idle && (oldRuns == guestRan || end != .none) }
    var newHasGuestAsBefore: Bool {
        new == (guestRan ? .running : .loaded) || (end != .none && (new == .running || new == .loaded))
    }

    /// What a controller that asks both sides, and is answered, sees.
    var observation: (old: SideObservation, new: SideObservation) {
        let seenOld: SideObservation =
            switch old {
            case .idle, .active: oldRuns ? .running : isPostmigrate ? .handedOver : end == .told ? .ended : .paused
            case .handingOver: .handingOver
            case .completed: .handedOver
            case .gone: .gone
            }
        let seenNew: SideObservation =
            switch new {
            case .absent, .gone: .gone
            case .waiting, .failed: .waiting
            case .loaded: end == .told ? .ended : .paused
            case .running: .running
            }
        return (seenOld, seenNew)
    }
}

// MARK: - What happens by itself

/// What QEMU does, or suffers, without the controller.
enum Happening: CaseIterable {
    case oldDies, newDies, oldStopsGuest, oldSendsEverything, oldCompletes, oldFails
    case newLoads, newFailsToLoad, newAcknowledges
    case guestEnds, guestHasEndedAtStop

    /// It comes about in time when nothing else does.
    ///
    /// Deaths and failures may, and may not.
    func isCertain(in world: World) -> Bool {
        switch self {
        case .oldStopsGuest, .oldSendsEverything, .oldCompletes, .newLoads, .newAcknowledges: true
        // A QEMU whose incoming migration failed exits.
        case .newDies: world.new == .failed
        case .newFailsToLoad: world.channel == .broken
        case .oldDies, .oldFails, .guestEnds, .guestHasEndedAtStop: false
        }
    }
}

/// What the controller is told of what happens by itself, and of commands that it does not wait for.
///
/// A set, because nothing is assumed about the order in which the two monitors and the two pidfds are heard.
struct Notices: OptionSet, Hashable, Sendable {
    let rawValue: UInt16

    static let all: [HandoffEvent] = [
        .oldCompleted, .oldFailed, .oldExited, .newCompleted, .newFailed, .newExited,
        .switchRefused, .newResumed, .resumeRefused, .guestEnded,
    ]

    static let oldCompleted = Notices(rawValue: 1 << 0)
    static let oldFailed = Notices(rawValue: 1 << 1)
    static let oldExited = Notices(rawValue: 1 << 2)
    static let newCompleted = Notices(rawValue: 1 << 3)
    static let newFailed = Notices(rawValue: 1 << 4)
    static let newExited = Notices(rawValue: 1 << 5)
    static let switchRefused = Notices(rawValue: 1 << 6)
    static let newResumed = Notices(rawValue: 1 << 7)
    static let resumeRefused = Notices(rawValue: 1 << 8)
    static let guestEnded = Notices(rawValue: 1 << 9)

    /// What is heard after the guest's end: what the same monitor says later, and the exit of its process.
    static func afterGuestEnded(_ end: World.End) -> Notices {
        end == .told ? [.oldCompleted, .oldFailed, .oldExited] : .oldExited
    }

    /// A monitor that is torn down may be heard as a failure, before or after the process is known to be gone.
    static let oldIsGone: Notices = [.oldExited, .oldFailed]
}

extension World {
    /// Lets something happen; `nil` if it cannot happen now.
    mutating func happen(_ happening: Happening) -> Notices? {
        switch happening {
        case .oldDies where old != .gone:
            endOld()
            return .oldIsGone
        case .newDies where newIsAlive:
            new = .gone
            return .newExited
        case .oldStopsGuest where old == .active:
            old = .handingOver
            oldRuns = false
            channel = .flowing
            return []
        case .oldSendsEverything where old == .handingOver && channel == .flowing && new == .waiting:
            channel = .complete
            return []
        case .newLoads where new == .waiting && channel == .complete:
            new = .loaded
            return .newCompleted
        case .newFailsToLoad where new == .waiting && [.flowing, .complete, .broken].contains(channel):
            new = .failed
            return .newFailed
        case .newAcknowledges where new == .loaded && channel == .complete && hasReturnPath:
            channel = .acknowledged
            return []
        case .oldCompletes where old == .handingOver && isHandedOverToOldsKnowledge:
            old = .completed
            return .oldCompleted
        case .oldFails where (old == .active || old == .handingOver) && oldCanFail:
            takeBack(run: guestRan && end != .told)
            return .oldFailed
        case .guestEnds where guestMayEnd && oldRuns && end == .none:
            oldRuns = false
            end = .told
            return .guestEnded
        case .guestHasEndedAtStop
        where guestMayEnd && guestRan && end == .none && (old == .handingOver || old == .completed):
            end = .untold
            return .guestEnded
        default:
            return nil
        }
    }

    private var isHandedOverToOldsKnowledge: Bool {
        channel == .acknowledged || (channel == .complete && !hasReturnPath)
    }

    /// Once everything is sent, only the return path can tell the old side that it was in vain.
    private var oldCanFail: Bool {
        switch channel {
        case .idle, .flowing: true
        case .complete: hasReturnPath && (new == .failed || new == .gone)
        case .acknowledged, .broken: false
        }
    }

    mutating func endOld() {
        old = .gone
        oldRuns = false
        if channel == .idle || channel == .flowing { channel = .broken }
    }

    /// The old side has the guest again, after a failure, a `migrate_cancel`, or a `cont` in `postmigrate`.
    mutating func takeBack(run: Bool) {
        let wasStopped = old == .handingOver || old == .completed
        // What hides the end from who looks later: a guest that was handed over, or (7.2) that could not be.
        isPostmigrate =
            end != .none && !run && (isPostmigrate || old == .completed || (old == .handingOver && end == .told))
        if old != .idle { channel = .broken }
        old = .idle
        oldRuns = run
        if wasStopped, run { newIsStale = true }
    }
}

// MARK: - What other people do

/// A command that somebody else gives to one of the sides.
enum OutsideHand: CaseIterable {
    case resumesOld, stopsOld, cancelsMigration, resumesNew, stopsNew, feedsNew
}

extension World {
    /// Lets somebody else act; false if that changes nothing now.
    mutating func touch(_ hand: OutsideHand) -> Bool {
        switch hand {
        case .resumesOld where (old == .idle && !oldRuns) || old == .completed: takeBack(run: true)
        case .stopsOld where old == .idle && oldRuns: oldRuns = false
        case .cancelsMigration where old == .active || old == .handingOver: takeBack(run: guestRan)
        case .resumesNew where new == .loaded: new = .running
        case .stopsNew where new == .running: new = .loaded
        case .feedsNew where new == .waiting && channel == .idle: new = .running
        default: return false
        }
        outsideHandWasHere = true
        return true
    }
}
