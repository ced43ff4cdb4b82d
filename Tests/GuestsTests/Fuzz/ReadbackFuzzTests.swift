import JSON
import Linux
@testable import QEMUCommandLine
import TestTools
import Testing

@testable import Guests

/// Feeds mutated monitor answers about a machine, and mutated command lines, to the code that compares and plans.
@Suite struct ReadbackFuzzTests {
    /// A command line, its words ended by zero bytes, then 0x01, then the monitor's answers as JSON.
    private static func corpus() throws -> FuzzCorpus {
        let line =
            "qemu\0-machine\0pc-q35-7.2\0-qmp\0unix:/q,server=on\0-device\0e1000,id=n0\0-netdev\0tap,id=t,vhostfd=4,queues=2"
            + "\0-blockdev\0driver=file,node-name=cf,filename=/a\0-drive\0if=virtio,file=/b,format=qcow2\0-cdrom\0/c"
        let blocks = try Fixture.json("Description/blocks-7.2.json").encoded()
        let devices =
            #"[{"path": "/machine/peripheral/d", "type": "virtio-blk-pci", "hot": true, "bus": "/machine/q35/pcie.0", "#
            + #""properties": [{"name": "addr", "type": "int32", "value": 41, "default": -1}, "#
            + #"{"name": "drive", "type": "str", "value": "cn2"}]}, {"path": "/machine/peripheral-anon/device[0]", "#
            + #""type": "scsi-hd", "hot": false, "bus": "/machine/peripheral/d/virtio-backend/d.0", "properties": []}]"#
        let others =
            #""objects": [{"id": "io", "type": "iothread", "properties": {"poll-grow": 2}}], "#
            + #""chardevs": [{"label": "c1", "filename": "disconnected:unix:/run/c1,server=on", "type": "chardev-socket"}], "#
            + #""network": "t: index=0,type=tap,fd=17\nu: index=0,type=user,net=10.9.0.0", "vhosts": 1"#
        return FuzzCorpus(
            texts: [
                "\(line)\u{1}{\"blocks\": \(blocks)}", "\(line)\u{1}{\"devices\": \(devices), \(others)}",
                "qemu\u{1}{\"devices\": \(devices)}", "\(line)\u{1}{}",
            ],
            words: [
                "\u{1}", "\0-device\0", "\0-netdev\0tap,id=", ",queues=", ",id=", "\"value\": ", "\"default\": ",
                "null", "\"id\": ",
                "\"file\": ", "\"children\": ", "\"parent\": ", "/machine/peripheral/", "/objects/", "#block", "pcie.0",
                "{}", "[]",
                "\"node-name\": ", "\"inserted\": ", "\"qdev\": ", "index=0,type=tap", "disconnected:tcp:", "<->",
            ])
    }

    @Test func whatIsReadBackHoldsItsProperties() async throws {
        let fixtures = LaunchFixture.all
        try #require(fixtures.count > 20)
        let failure = await Fuzz("readback", try Self.corpus(), inputs: 2000).run { input, below in
            try Self.check(input, fixtures[below(fixtures.count)])
        }
        #expect(failure == nil)
    }

    private static func check(_ input: [UInt8], _ fixture: LaunchFixture) throws {
        let parts = input.split(separator: 1, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, let json = try? JSONValue(parsing: Array(parts[1])) else { return }
        let words = parts[0].split(separator: 0, omittingEmptySubsequences: false)
        let arguments = words.map { String(decoding: $0, as: UTF8.self) }
        guard let line = try? CommandLine(arguments: arguments, readConfig: { _ in "" }) else { return }
        let configuration = RunningConfiguration.read(machine(json), against: line)
        guard configuration.findings.count < 10_000 else { throw Fuzz.Violation("too many findings") }
        var facts = fixture.facts
        facts.additions = configuration.additions
        facts.removals = configuration.removals
        let plan = try? LaunchPlan.make(
            commandLine: configuration.commandLine, facts: facts, target: fixture.target,
            handoffID: LaunchPlanGoldenTests.handoffID)
        guard let plan else { return }
        guard plan.arguments.suffix(3) == ["-S", "-incoming", "defer"] else {
            throw Fuzz.Violation("the new QEMU does not wait: \(plan.arguments)")
        }
    }

    private static func machine(_ json: JSONValue) -> RunningMachine {
        func list(_ key: String) -> [JSONValue] { json[key]?.array ?? [] }
        var machine = RunningMachine()
        machine.blocks = BlockGraph(
            nodes: json["blocks"]?["nodes"] ?? [], drives: json["blocks"]?["drives"] ?? [],
            graph: json["blocks"]?["graph"])
        machine.devices = list("devices").map { device in
            RunningMachine.Device(
                path: device["path"]?.string ?? "", type: device["type"]?.string ?? "",
                isHotplugged: device["hot"]?.bool ?? true, parentBus: device["bus"]?.string,
                properties: (device["properties"]?.array ?? []).map { property in
                    RunningMachine.Property(
                        name: property["name"]?.string ?? "", type: property["type"]?.string ?? "",
                        value: property["value"] ?? .null, defaultValue: property["default"])
                })
        }
        machine.objects = list("objects").map { object in
            .init(
                id: object["id"]?.string ?? "", type: object["type"]?.string ?? "",
                properties: object["properties"]?.object ?? [:])
        }
        machine.chardevs = list("chardevs").map { chardev in
            .init(
                label: chardev["label"]?.string ?? "", filename: chardev["filename"]?.string ?? "",
                type: chardev["type"]?.string)
        }
        machine.network = NetworkInfo(json["network"]?.string ?? "")
        machine.vhostNetCount = json["vhosts"]?.int ?? 0
        return machine
    }
}
