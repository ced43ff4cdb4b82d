import QMP
import TestTools
import Testing

@testable import Guests

/// Feeds mutated answers to the parsers of QEMU's plain text output: the human monitor's, and `--version`.
@Suite struct MonitorTextFuzzTests {
    private static func corpus() throws -> FuzzCorpus {
        let trees = try ["7.2-microvm", "10.0-microvm", "7.2-q35-4.0"].map {
            String(try Fixture.text("Description/mtree-\($0).txt").prefix(6000))
        }
        let others = [
            "address-space: memory\n  0000000000000000-000000000fffffff (prio 0, ram): alias a @b 0000000000000000-000000000fffffff\n"
                + "memory-region: b\n  0000000000000000-000000000fffffff (prio 0, ram): ram0\n",
            "memory-region: b\n  0000000000000000-ffffffffffffffff (prio 0, i/o): alias a @b 0000000000000000-000000000fffffff\n",
            "nic1: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:11:22:33\r\n \\ t1: index=0,type=tap,ifname=tap0\r\n",
            "Hub -1 (un1):\r\n  Protocol[State]    FD\r\n  TCP[HOST_FORWARD]  13  127.0.0.1  2299  10.9.0.15  22  0  0\r\n",
            "  Device 0.0, Port 1, Speed 480 Mb/s, Product QEMU USB Tablet, ID: ut\r\n",
            "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright\n", "    /ioapic[0] (memory-region)\n",
            #"{"vmschkmachine": {"Name": "pc"}, "x": {"Description": {"name": "x", "version_id": 1, "Fields": []}}}"#,
        ]
        return FuzzCorpus(
            texts: trees + others,
            words: [
                "address-space: memory\n", "memory-region: b\n", "memory-region: ", " (prio 0, ram): ", "alias ",
                " @b ",
                " @memory ", "  0000000000000000-", "ffffffffffffffff", "8000000000000000", "0-0", " [disabled]",
                "  0000000000000000-000000000000ffff (prio 0, ram): alias a @b 0000000000000000-ffffffffffffffff\n",
                "type=", "index=", ": ", "[HOST_FORWARD]", ", ID: ", ", Port ", "QEMU emulator version ", "(", ")", ".",
            ])
    }

    @Test func readersHoldTheirProperties() async throws {
        #expect(await Fuzz("monitor", try Self.corpus(), inputs: 2000).run { input, _ in try Self.check(input) } == nil)
    }

    private static func check(_ input: [UInt8]) throws {
        let text = String(decoding: input, as: UTF8.self)
        let ranges = MemoryTree(text).layout(of: ["ram0", "b", "pc.ram", "memory", "microvm.ram"])
        for range in ranges {
            guard range.size > 0, !range.address.addingReportingOverflow(range.size - 1).overflow else {
                throw Fuzz.Violation("no place in memory: \(range)")
            }
        }
        for backend in NetworkInfo(text).backends where backend.queues < 1 { throw Fuzz.Violation("\(backend)") }
        _ = UserNetworkInfo.hostForwards(text)
        _ = USBInfo.ports(text)
        _ = QOMTree.types(text)
        _ = QEMUVersion(versionOutput: text)
        _ = VMState(parsing: text)
    }
}
