import Handoff

/// The world and what the controller is about: all that the future depends on.
struct Situation: Sendable {
    enum Phase: UInt64 {
        /// No controller: it crashed, or it is done.
        case away
        /// A machine is being interpreted.
        case live
        /// A recovery decision is being carried out.
        case recovering
    }

    var world: World
    var phase = Phase.away

    // Live.
    var machine = 0
    var queue = ActionQueue()
    /// The answer to the first action in the queue, one more than its code, once that action is performed.
    var answer = 0
    var notices: Notices = []
    var wasToldGuestEnded = false
    var wasToldOldIsGone = false
    var wasToldNewIsGone = false

    // Recovering.
    var steps = 0
    var nextStep = 0

    /// The controller is gone, and with it all that only it knew.
    var withoutController: Situation { Situation(world: world) }

    /// A word that no other situation of the same handoff has.
    var key: UInt64 {
        var word = phase.rawValue
        func put(_ value: UInt64, _ bits: UInt64) {
            assert(value >> bits == 0, "the model has outgrown its word")
            word = word << bits | value
        }
        put(UInt64(world.old.rawValue), 3)
        put(UInt64(world.new.rawValue), 3)
        put(UInt64(world.channel.rawValue), 3)
        put(Situation.number(of: world.journal), 4)
        put(
            (world.oldRuns ? 1 : 0) | (world.newIsStale ? 2 : 0) | (world.isCommitted ? 4 : 0)
                | (world.isSettled ? 8 : 0) | (world.outsideHandWasHere ? 16 : 0) | (wasToldOldIsGone ? 32 : 0)
                | (wasToldNewIsGone ? 64 : 0) | (world.isLinkRecorded ? 128 : 0), 8)
        put(UInt64(world.end.rawValue), 2)
        put((world.isPostmigrate ? 1 : 0) | (wasToldGuestEnded ? 2 : 0), 2)
        put(UInt64(notices.rawValue), 10)
        switch phase {
        case .away: break
        case .live:
            put(queue.bits, UInt64(ActionQueue.bits))
            put(UInt64(answer), UInt64(Codes.eventBits))
            put(UInt64(machine), 10)
        case .recovering:
            put(UInt64(nextStep), UInt64(Codes.eventBits))
            put(UInt64(steps), 10)
        }
        return word
    }

    private static func number(of state: HandoffState?) -> UInt64 {
        switch state {
        case nil: 0
        case .planned: 1
        case .launched: 2
        case .linked: 3
        case .switching: 4
        case .loaded: 5
        case .committed: 6
        case .running: 7
        case .retired: 8
        case .rollingBack: 9
        case .rolledBack: 10
        case .lost: 11
        }
    }
}

/// What leads from one situation to the next.
enum Move: CustomStringConvertible {
    case happens(Happening)
    case somebody(OutsideHand)
    case crashes
    case hears(HandoffEvent)
    case performs(HandoffAction)
    case starts(old: SideObservation, new: SideObservation, RecoveryDecision)
    case steps(HandoffAction)

    var description: String {
        switch self {
        case .happens(let happening): "\(happening)"
        case .somebody(let hand): "somebody \(hand)"
        case .crashes: "controller crashes"
        case .hears(let event): "controller hears \(event)"
        case .performs(let action): "controller performs \(action)"
        case .starts(let old, let new, let decision): "recovery sees old \(old), new \(new): \(decision)"
        case .steps(let action): "recovery performs \(action)"
        }
    }
}
