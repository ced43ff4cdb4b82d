import JSON
import Linux
import Testing

@testable import Hypervisors

extension HypervisorsTests {
    /// What is remembered of a running hypervisor comes back as it was stored.
    @Suite struct InstanceRecordTests {
        private static func record(kernel: String? = nil, qemu: String? = nil) -> InstanceRecord {
            var record = InstanceRecord(
                id: "1f3c", hypervisor: "alpha", stack: "rack7", image: "/images/stand \"ard\"",
                process: ProcessIdentity(pid: 4711, startTime: .max), started: 1_795_000_000_123_456)
            record.kernel = kernel
            record.qemu = qemu
            return record
        }

        @Test func whatIsStoredIsRead() throws {
            for record in [Self.record(), Self.record(kernel: "6.1.0", qemu: "7.2.22"), Self.record(kernel: "6.1.0")] {
                #expect(InstanceRecord(json: record.json) == record)
                let text = record.json.encoded()
                #expect(InstanceRecord(json: try JSONValue(parsing: Array(text.utf8))) == record)
            }
            #expect(Self.record().runName == "alpha-1f3c")
        }

        @Test(arguments: ["version", "id", "hypervisor", "stack", "image", "process", "started"])
        func nothingMayBeMissing(key: String) throws {
            var members = try #require(Self.record().json.object)
            members[key] = nil
            #expect(InstanceRecord(json: .object(members)) == nil)
            members[key] = ["of another": "kind"]
            #expect(InstanceRecord(json: .object(members)) == nil)
        }

        @Test func whatIsOfAnotherVersionIsNotRead() throws {
            var members = try #require(Self.record().json.object)
            members["version"] = 2
            #expect(InstanceRecord(json: .object(members)) == nil)
            #expect(InstanceRecord(json: []) == nil)
            members["version"] = 1
            members["process"] = ["pid": 3_000_000_000, "start": 1]
            #expect(InstanceRecord(json: .object(members)) == nil, "no pid is so large")
            members["process"] = ["pid": 1, "start": -1]
            #expect(InstanceRecord(json: .object(members)) == nil)
        }
    }
}
