import JSON
import Testing

@testable import HyperFresh

/// The journal's facts about an inner guest's handoff survive a round trip, from any version.
@Suite struct InnerFactsTests {
    private static let facts = HypervisorGuestFacts(
        guest: "web", hypervisor: "alpha", stack: "rack7", oldInstance: "1f3c", newInstance: "a001",
        memoryFile: "/dev/shm/hyperfresh-rack7/web.ram", isRehearsal: true)

    @Test(arguments: [true, false]) func whatIsWrittenIsRead(isRehearsal: Bool) throws {
        var facts = Self.facts
        facts.isRehearsal = isRehearsal
        #expect(HypervisorGuestFacts(json: facts.json) == facts)
        let text = JSONValue.object(facts.json).encoded()
        let read = try #require(try JSONValue(parsing: Array(text.utf8)).object)
        #expect(HypervisorGuestFacts(json: read) == facts)
    }

    @Test func versionsMayBeMissing() {
        var facts = Self.facts
        facts.oldVersion = "7.2.22"
        #expect(HypervisorGuestFacts(json: facts.json) == facts)
        facts.newVersion = "10.0.2"
        #expect(HypervisorGuestFacts(json: facts.json) == facts)
        #expect(Self.facts.json["old_version"] == nil)
    }

    @Test func keysOfLaterRecordsDoNoHarm() {
        let more = Self.facts.json.merging(["guest_ran": true, "restore_old": [:], "new_key": 1]) { $1 }
        #expect(HypervisorGuestFacts(json: more) == Self.facts)
    }

    @Test(arguments: InnerFactsTests.facts.json.keys.sorted()) func nothingMayBeMissing(key: String) {
        var json = Self.facts.json
        json[key] = nil
        #expect(HypervisorGuestFacts(json: json) == nil)
        json[key] = 17
        #expect(HypervisorGuestFacts(json: json) == nil)
    }

    @Test func anotherKindOfHandoffIsNotTakenForOne() {
        #expect(HypervisorGuestFacts(json: Self.facts.json.merging(["kind": "container"]) { $1 }) == nil)
        #expect(HypervisorGuestFacts(json: [:]) == nil)
        #expect(HostGuestFacts(json: Self.facts.json) == nil)
    }
}
