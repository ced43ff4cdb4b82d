import JSON
import Linux
import StackFile
import TestTools
import Testing

@testable import HyperFresh
import VirtualMachines

/// Feeds mutated records (of handoffs, instances, placements) and versions reported from inside to their readers.
@Suite struct RecordFuzzTests {
    private static func corpus() -> FuzzCorpus {
        let inner = HypervisorGuestFacts(
            guest: "web", hypervisor: "alpha", stack: "rack7", oldInstance: "1f3c", newInstance: "a001",
            memoryFile: "/dev/shm/hyperfresh-rack7/web.ram", isRehearsal: true)
        let texts = [
            JSONValue.object(inner.json).encoded(), JSONValue.object(Sample.record("1f3c").members).encoded(),
            #"{"version": 1, "guests": {"web": "1f3c", "db": "a001"}}"#,
            """
            {"guest": "web", "old": {"pid": 42, "start": 7}, "old_binary": "/q", "old_qmp": "/a", "memory_file": "/m",
             "target": "/q", "new_qmp": "/a.hf-12345678", "dry_run": false,
             "endpoints": [{"kind": "qmp", "lasting": "/a", "temporary": "/a.hf-12345678"}],
             "follow_ups": [{"vnc": "d", "descriptors": [3, 4]}, {"netdev": "n", "rule": "tcp::22-:22"}]}
            """,
            #"{"capabilities": {"events": true}, "max_bandwidth": 18446744073709551615, "downtime_limit": 300}"#,
            "6.1.0-50-cloud-amd64\n7.2.22\n",
        ]
        return FuzzCorpus(
            texts: texts,
            words: [
                "\"version\": 1", "\"guests\":", "\"pid\":", "\"start\":", "null", "true", "{}", "[]", "{", "}", "[",
                "]",
                "\"\"", "\"..\"", "\"../..\"", "\"kind\": \"inner\"", "\\u0000", ",", ":", "1e3", "\u{1B}[2J",
            ], largestInput: 3000)
    }

    @Test func readersHoldTheirProperties() async {
        #expect(await Fuzz("records", Self.corpus()).run { input, _ in try Self.check(input) } == nil)
    }

    private static func check(_ input: [UInt8]) throws {
        if let versions = RecordRebuild.versions(in: String(decoding: input, as: UTF8.self)) {
            let text = versions.kernel + versions.qemu
            guard text.utf8.count <= 128, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw Fuzz.Violation("no versions: \(versions)")
            }
        }
        guard let json = try? JSONValue(parsing: input) else { return }
        let members = json.object ?? [:]
        if let record = InstanceRecord(members), InstanceRecord(record.members) != record {
            throw Fuzz.Violation("an instance reads otherwise when it is written again: \(record)")
        }
        if let facts = HostGuestFacts(json: members), HostGuestFacts(json: facts.json) != facts {
            throw Fuzz.Violation("a handoff reads otherwise when it is written again: \(facts)")
        }
        if let facts = HypervisorGuestFacts(json: members), HypervisorGuestFacts(json: facts.json) != facts {
            throw Fuzz.Violation("an inner handoff reads otherwise when it is written again: \(facts)")
        }
        _ = MigrationLink.Settings(json: json)
        _ = ProcessIdentity(json: json)
        _ = StackStore.placement(in: members)
        _ = StackRecord(members)
    }
}
