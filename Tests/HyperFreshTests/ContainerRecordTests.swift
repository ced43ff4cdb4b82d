import Containers
import Handoff
import JSON
import Testing

@testable import HyperFresh

@Suite struct ContainerRecordTests {
    private let facts = ContainerFacts(
        container: "redis", stack: "shop", oldSystem: "gamma", oldInstance: "1f3c", newSystem: "delta",
        newInstance: "09ab", storeFile: "/dev/shm/shop/redis.store", isRehearsal: false)

    @Test func whatIsWrittenIsRead() {
        #expect(ContainerFacts(json: facts.json) == facts)
    }

    @Test func itIsNotTakenForAnotherKind() {
        #expect(HypervisorGuestFacts(json: facts.json) == nil)
        #expect(HostGuestFacts(json: facts.json) == nil)
        var inner = facts.json
        inner["kind"] = "inner"
        #expect(ContainerFacts(json: inner) == nil)
    }

    @Test func aPartThatIsMissingIsNoRecord() {
        for key in facts.json.keys {
            var rest = facts.json
            rest[key] = nil
            #expect(ContainerFacts(json: rest) == nil, "without \(key)")
        }
    }

    /// Frozen processes belong to no side until a decision; stopped ones are complete.
    @Test func whatIsSeenDecidesAsWithQEMUs() {
        func decide(_ state: HandoffState, _ old: SideObservation, _ new: SideObservation) -> RecoveryDecision {
            Recovery.decide(recorded: state, guestRan: true, old: old, new: new)
        }
        let (frozen, stopped) = (SideObservation(.frozen), SideObservation(.stopped))
        #expect(decide(.linked, SideObservation(.running), .gone) == .keepOld(resume: false))
        #expect(decide(.switching, frozen, .gone) == .keepOld(resume: true))
        #expect(decide(.switching, frozen, SideObservation(.arriving)) == .keepOld(resume: true))
        #expect(decide(.switching, frozen, stopped) == .keepOld(resume: true))
        #expect(decide(.switching, .gone, stopped) == .keepNew(resume: true))
        #expect(decide(.committed, frozen, stopped) == .keepNew(resume: true))
        #expect(decide(.committed, frozen, SideObservation(.running)) == .keepNew(resume: false))
        #expect(decide(.committed, frozen, .gone) == .lost)
        #expect(decide(.running, .gone, SideObservation(.running)) == .keepNew(resume: false))
    }

    @Test(arguments: [("3.17.1", "3.17.1", 0), ("3.17", "3.17.0", 0), ("3.9", "3.17", -1), ("4.0", "3.99.9", 1)])
    func versionsAreComparedByTheirNumbers(one: String, other: String, sign: Int) {
        #expect(ContainerAdmission.isOlder(one, than: other) == (sign < 0))
        #expect(ContainerAdmission.isOlder(other, than: one) == (sign > 0))
    }
}
