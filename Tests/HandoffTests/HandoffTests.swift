import Handoff
import Testing

/// The handoff machine and the recovery table, held to their promises in every situation that can be reached: every
/// order of events, every failure of a command, a record or a side, and a crash of the controller between any two steps.
@Suite struct ModelTests {
    @Test func everyReachableSituationKeepsTheRules() {
        var situations = 0
        var moves = 0
        for (start, verdict) in Start.explored {
            #expect(verdict.violation == nil, "\(start.testDescription): \(verdict.trail)")
            #expect(verdict.outcomes == start.outcomes, "\(start.testDescription)")
            print("\(start.testDescription): \(verdict.situations) situations, \(verdict.moves) moves")
            situations += verdict.situations
            moves += verdict.moves
        }
        print("explored: \(situations) situations, \(moves) moves between them")
        // A model that quietly lost most of its moves would find nothing either.
        #expect(situations > 150_000)
    }
}

/// That each rule can be broken, and that breaking it is noticed.
@Suite struct MutantTests {
    @Test func everyRuleHasAMutantThatBreaksIt() {
        let broken = MachineMutation.allCases.map(\.guilt) + RecoveryMutation.allCases.map(\.guilt)
        // What makes recovery unrepeatable breaks another rule first.
        #expect(Set(Violation.allCases).subtracting(broken) == [.secondRecoveryDiffers])
    }

    @Test(arguments: MachineMutation.allCases)
    func aMistakeInTheMachineIsFound(mutation: MachineMutation) {
        #expect(mutation.victim.explore(Subject(machine: mutation)).violation == mutation.guilt)
    }

    @Test(arguments: RecoveryMutation.allCases)
    func aMistakeInRecoveryIsFound(mutation: RecoveryMutation) {
        #expect(mutation.victim.explore(Subject(recovery: mutation)).violation == mutation.guilt)
    }
}
