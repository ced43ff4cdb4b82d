import Handoff
import Testing

/// What a handoff can start from.
struct Start: Sendable, CustomTestStringConvertible {
    var guestRan = true
    var hasReturnPath = true
    var isRehearsal = false
    /// It may come to its own end meanwhile.
    var guestMayEnd = false

    static let all: [Start] = [
        Start(), Start(hasReturnPath: false), Start(guestRan: false), Start(guestRan: false, hasReturnPath: false),
        Start(isRehearsal: true), Start(guestRan: false, isRehearsal: true), Start(guestMayEnd: true),
    ]

    var testDescription: String {
        [
            guestRan ? "running guest" : "paused guest", hasReturnPath ? "return path" : "no return path",
            isRehearsal ? "rehearsal" : "refresh", guestMayEnd ? "that may end" : "that goes on",
        ].joined(separator: ", ")
    }

    /// All there is to explore, done once for all tests.
    static let explored: [(Start, Explorer.Verdict)] = all.map {
        ($0, $0.explore(Subject(), admitsOutsideHand: !$0.guestMayEnd))
    }

    func explore(_ subject: Subject, admitsOutsideHand: Bool = false) -> Explorer.Verdict {
        Explorer.explore(
            subject, guestRan: guestRan, hasReturnPath: hasReturnPath, isRehearsal: isRehearsal,
            admitsOutsideHand: admitsOutsideHand, guestMayEnd: guestMayEnd)
    }
}

extension Start {
    /// Every way in which it can end.
    var outcomes: Set<HandoffOutcome> {
        let always: Set<HandoffOutcome> = [
            .rolledBack(.journal), .rolledBack(.launch), .rolledBack(.link), .rolledBack(.deadline),
            .rolledBack(.cancelled), .lost, .unknown,
        ]
        // Of a rehearsal only the old side's death is a failed transfer, and then the guest is lost.
        return always.union(isRehearsal ? [.rehearsed] : [.rolledBack(.transfer), .refreshed, .incomplete])
    }
}
