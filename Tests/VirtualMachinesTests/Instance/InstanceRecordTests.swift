import JSON
import Linux
@testable import StackFile
import Testing
@testable import VirtualMachines

extension VirtualMachinesTests {
    /// The record of a running hypervisor survives a round trip.
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
                #expect(InstanceRecord(record.members) == record)
                let text = JSONValue.object(record.members).encoded()
                let members = try #require(try JSONValue(parsing: Array(text.utf8)).object)
                #expect(InstanceRecord(members) == record)
            }
            #expect(Self.record().runName == "alpha-1f3c")
        }

        @Test(arguments: ["id", "hypervisor", "stack", "image", "process", "started"])
        func nothingMayBeMissing(key: String) throws {
            var members = Self.record().members
            members[key] = nil
            #expect(InstanceRecord(members) == nil)
            members[key] = ["of another": "kind"]
            #expect(InstanceRecord(members) == nil)
        }

        @Test func whatIsNoProcessIsNotRead() throws {
            var members = Self.record().members
            members["process"] = ["pid": 3_000_000_000, "start": 1]
            #expect(InstanceRecord(members) == nil, "no pid is so large")
            members["process"] = ["pid": 1, "start": -1]
            #expect(InstanceRecord(members) == nil)
            #expect(InstanceRecord([:]) == nil)
        }

        @Test func anInstanceIsFourHexadecimalDigits() {
            for name in ["1f3c", "0000", "ffff"] { #expect(InstanceFolder.isID(name)) }
            for name in ["", "1f3", "1f3c0", "1F3C", "lock", "..", "1f3g", "１f3c"] {
                #expect(!InstanceFolder.isID(name))
            }
        }
    }
}
