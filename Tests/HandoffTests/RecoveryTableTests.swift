import Handoff
import Testing

/// docs/state-machine.md and the code say the same about recovery.
@Suite struct RecoveryTableTests {
    @Test(arguments: DocumentedRow.all)
    func everyRowIsWhatIsDecided(row: DocumentedRow) {
        let cases = RecoveryCase.all.filter { deciding($0)?.number == row.number }
        #expect(!cases.isEmpty, "no case is decided by this row")
        for one in cases { #expect(row.says(one.decision, guestRan: one.guestRan), "\(one): \(one.decision)") }
    }

    @Test func everyCaseIsDecidedByARow() {
        #expect(DocumentedRow.all.count > 20)
        for one in RecoveryCase.all { #expect(deciding(one) != nil, "\(one)") }
    }

    private func deciding(_ one: RecoveryCase) -> DocumentedRow? { DocumentedRow.all.first { $0.fits(one) } }
}

/// What holds for the table as a whole.
@Suite struct RecoveryRuleTests {
    @Test func noSideThatIsSeenRunningIsEnded() {
        for one in RecoveryCase.all {
            switch one.decision {
            case .keepOld: #expect(one.new != .running, "\(one)")
            case .keepNew: #expect(one.old != .running, "\(one)")
            case .lost: #expect(one.old != .running && one.new != .running, "\(one)")
            case .finished, .mustLook: break
            }
        }
    }

    @Test func theOldSideIsNeverKeptAfterCommit() {
        for one in RecoveryCase.all where one.recorded.isCommitted {
            if case .keepOld = one.decision { Issue.record("\(one)") }
        }
    }

    @Test func onlyAGuestWhoseOwnerIsGoneIsLost() {
        for one in RecoveryCase.all where one.decision == .lost {
            #expect((one.recorded.isCommitted ? one.new : one.old) == .gone, "\(one)")
        }
    }

    @Test func aGuestThatWasPausedIsNeverResumed() {
        for one in RecoveryCase.all where !one.guestRan {
            #expect(one.decision != .keepOld(resume: true) && one.decision != .keepNew(resume: true), "\(one)")
        }
    }

    /// Whether the guest ran is on record from `linked` on, so nothing may hang on it before.
    @Test func beforeTheSwitchItDoesNotMatterWhetherTheGuestRan() {
        for one in RecoveryCase.all where [.planned, .launched, .linked].contains(one.recorded) {
            var other = one
            other.guestRan.toggle()
            #expect(one.decision == other.decision, "\(one)")
        }
    }

    @Test func exactlyTheFinalRecordsAreFinished() {
        for one in RecoveryCase.all where one.old != .running || one.new != .running {
            #expect((one.decision == .finished) == one.recorded.isFinal, "\(one)")
        }
    }
}

/// One question to the recovery table.
struct RecoveryCase: CustomStringConvertible, Sendable {
    let recorded: HandoffState
    var guestRan: Bool
    let old: SideObservation
    let new: SideObservation

    static let observations: [SideObservation] = [
        .gone, .silent, .running, .paused, .waiting, .handingOver, .handedOver, .ended,
    ]

    static let all: [RecoveryCase] = HandoffState.allCases.flatMap { recorded in
        observations.flatMap { old in
            observations.flatMap { new in
                [true, false].map { RecoveryCase(recorded: recorded, guestRan: $0, old: old, new: new) }
            }
        }
    }

    var decision: RecoveryDecision { Recovery.decide(recorded: recorded, guestRan: guestRan, old: old, new: new) }

    var description: String { "\(recorded), guest \(guestRan ? "ran" : "was paused"), old \(old), new \(new)" }
}
