import Handoff

/// Events, actions and lists of steps as small numbers, so that a whole situation packs into one word.
enum Codes {
    static let events: [HandoffEvent] =
        HandoffState.allCases.flatMap { [.recorded($0), .recordFailed($0)] }
        + [
            .launched, .launchFailed, .linked(guestRuns: false), .linked(guestRuns: true), .linkFailed,
            .guestEnded, .switchRefused, .oldCompleted, .oldFailed, .oldExited, .newCompleted, .newFailed, .newExited,
            .newResumed, .resumeRefused, .oldRetired, .oldSurvived, .settled, .settleFailed,
            .newRemoved, .newSurvived, .oldRestored, .restoreFailed, .deadlinePassed, .cancelled,
        ]

    /// `nil` stands first: no action.
    static let actions: [HandoffAction?] =
        [nil]
        + HandoffState.allCases.map { .record($0) }
        + [
            .launchNew, .link, .beginSwitch, .resumeNew, .retireOld, .settle, .removeNew,
            .restoreOld(resume: false), .restoreOld(resume: true),
            .finish(.refreshed), .finish(.rehearsed), .finish(.incomplete), .finish(.lost), .finish(.unknown),
            .finish(.rolledBack(.journal)), .finish(.rolledBack(.launch)), .finish(.rolledBack(.link)),
            .finish(.rolledBack(.transfer)), .finish(.rolledBack(.deadline)), .finish(.rolledBack(.cancelled)),
        ]

    private static let codeOfEvent = Dictionary(uniqueKeysWithValues: zip(events, events.indices))
    private static let codeOfAction = Dictionary(uniqueKeysWithValues: zip(actions, actions.indices))

    static func code(of event: HandoffEvent) -> Int { codeOfEvent[event] ?? events.count }
    static func code(of action: HandoffAction) -> Int { codeOfAction[action] ?? 0 }

    static let eventBits = 6
    static let actionBits = 5
}

/// Up to two actions that were ordered and are not performed yet, the first in the low bits.
struct ActionQueue {
    private(set) var bits: UInt64 = 0
    static let bits = 2 * Codes.actionBits

    /// Nothing comes after a `finish`.
    var isClosed: Bool {
        var rest = bits
        while rest >> UInt64(Codes.actionBits) != 0 { rest >>= UInt64(Codes.actionBits) }
        if case .finish = Codes.actions[Int(rest)] { return true }
        return false
    }

    var first: Int { Int(bits & (1 << Codes.actionBits - 1)) }

    mutating func removeFirst() { bits >>= UInt64(Codes.actionBits) }

    /// A machine that keeps order needs no more room than there is: one action in progress, and what undoes it.
    mutating func append(_ action: Int) throws(Violation) {
        var shift = 0
        while bits >> UInt64(shift) != 0 { shift += Codes.actionBits }
        if shift == ActionQueue.bits { throw .ordersPileUp }
        bits |= UInt64(action) << UInt64(shift)
    }
}
