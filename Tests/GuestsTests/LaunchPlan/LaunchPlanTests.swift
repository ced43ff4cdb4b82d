import Guests
@testable import QEMUCommandLine
import Testing

/// Properties of every plan, whatever the command line.
@Suite struct LaunchPlanTests {
    static let planned = LaunchFixture.all.filter(\.hasPlan)

    @Test func whatTheOldQEMUMadeUpIsSaid() throws {
        let line = try CommandLine(
            arguments: [
                "qemu-system-x86_64", "-machine", "pc-q35-7.2,memory-backend=m", "-object",
                "memory-backend-file,id=m,size=1G,mem-path=/m,share=on", "-qmp", "unix:/q,server=on,wait=off",
                "-device",
                "vmgenid,guid=auto", "-device", "{\"driver\":\"virtio-net-pci\",\"id\":\"a\"}", "-device",
                "e1000,id=b,mac=52:54:00:00:00:01", "-device", "e1000,id=c",
            ]) { _ in "" }
        let binary = QEMUBinary(path: "/usr/bin/qemu-system-x86_64", version: .init(7, 2))
        let facts = LaunchFacts(
            binary: binary, machineType: "pc-q35-7.2", workingDirectory: "/", generationID: "324e6eaf-0000",
            hardwareAddresses: ["a": "52:54:00:12:34:57", "b": "52:54:00:00:00:02", "c": "52:54:00:12:34:58"])
        let plan = try LaunchPlan.make(commandLine: line, facts: facts, target: binary, handoffID: "0badcafe")
        let devices = plan.arguments.indices.filter { plan.arguments[$0] == "-device" }.map { plan.arguments[$0 + 1] }
        #expect(devices[0] == "vmgenid,guid=324e6eaf-0000")
        #expect(devices[1].contains("\"mac\"") && devices[1].contains("52:54:00:12:34:57"))
        #expect(devices[2] == "e1000,id=b,mac=52:54:00:00:00:01")
        #expect(devices[3] == "e1000,id=c,mac=52:54:00:12:34:58")
    }

    @Test(arguments: planned)
    func newQEMUWaits(_ fixture: LaunchFixture) throws {
        let plan = try LaunchPlanGoldenTests.plan(fixture)
        #expect(plan.arguments.suffix(3) == ["-S", "-incoming", "defer"])
        let line = try CommandLine(arguments: plan.arguments) { _ in throw BadFixture(reason: "-readconfig") }
        for name in ["S", "incoming"] { #expect(line.options(named: name).count == 1) }
        for name in ["daemonize", "loadvm", "readconfig", "mem-prealloc"] { #expect(!line.contains(name)) }
    }

    @Test(arguments: planned)
    func machineStaysTheSame(_ fixture: LaunchFixture) throws {
        let plan = try LaunchPlanGoldenTests.plan(fixture)
        let new = try CommandLine(arguments: plan.arguments) { _ in "" }
        var old = try fixture.commandLine()
        old.options += fixture.facts.additions
        let gone = Set(fixture.facts.removals.map(\.id))
        for name in ["device", "drive", "blockdev", "numa", "m", "smp", "cpu", "uuid", "global"] {
            let kept = old.options(named: name).filter { option in
                !gone.contains(option.properties?["id"] ?? option.properties?["node-name"] ?? "")
            }
            let expected = fixture.facts.removals.isEmpty ? kept : kept.filter { new.options.contains($0) }
            #expect(new.options(named: name) == expected, "-\(name)")
        }
        let objects = old.options(named: "object").map { $0.properties?["id"] }
        #expect(new.options(named: "object").map { $0.properties?["id"] } == objects)
    }

    @Test(arguments: planned)
    func pathsAreTemporary(_ fixture: LaunchFixture) throws {
        let plan = try LaunchPlanGoldenTests.plan(fixture)
        #expect(Set(plan.endpoints.map(\.temporary)).count == plan.endpoints.count)
        for endpoint in plan.endpoints {
            #expect(endpoint.temporary == endpoint.lasting + ".hf-" + LaunchPlanGoldenTests.handoffID)
            #expect(endpoint.lasting.hasPrefix("/"))
            #expect(!endpoint.lasting.contains(".hf-"))
        }
        #expect(plan.endpoints.contains { $0.kind == .qmp && $0.temporary == plan.qmpSocket })
        #expect(!plan.arguments.contains { $0.contains(".hf-0") || $0.contains("wait=on") })
    }

    @Test(arguments: planned)
    func descriptorsAreNamedOnce(_ fixture: LaunchFixture) throws {
        let plan = try LaunchPlanGoldenTests.plan(fixture)
        let line = try CommandLine(arguments: plan.arguments) { _ in "" }
        var named: [Int32] = []
        for properties in line.options.compactMap(\.properties) {
            for key in ["fd", "vhostfd"] {
                if let number = properties[key].flatMap({ Int32($0) }) { named.append(number) }
            }
        }
        #expect(named.sorted() == plan.descriptors.map(\.number))
        #expect(plan.descriptors.map(\.number) == (0..<Int32(named.count)).map { 10 + $0 })
    }

    @Test func monitorOfTheGuestIsPreferred() throws {
        let line = try CommandLine(
            arguments: [
                "qemu", "-machine", "none", "-qmp", "unix:/a,server=on,wait=off", "-qmp",
                "unix:/b,server=on,wait=off",
            ]
        ) { _ in "" }
        let binary = QEMUBinary(path: "/usr/bin/qemu-system-x86_64", version: .init(7, 2))
        for (wanted, expected) in [(nil, "/a"), ("/a", "/a"), ("/b", "/b"), ("/c", "/a")] {
            let facts = LaunchFacts(binary: binary, machineType: "none", workingDirectory: "/", qmpSocket: wanted)
            let plan = try LaunchPlan.make(commandLine: line, facts: facts, target: binary, handoffID: "01234567")
            #expect(plan.qmpSocket == expected + ".hf-01234567")
        }
    }

    /// Lines composed of all fixtures' options: each yields a plan or a list of problems, never a crash.
    @Test func anyLineIsPlannedOrRefused() throws {
        var random = SplitMix(state: 0xc0ffee)
        let options = try LaunchFixture.all.flatMap { try $0.commandLine().options }
        var planned = 0
        for _ in 0..<3_000 {
            guard let fixture = LaunchFixture.all.randomElement(using: &random) else { continue }
            var line = try fixture.commandLine()
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                if Bool.random(using: &random), !line.options.isEmpty {
                    line.options.remove(at: Int.random(in: 0..<line.options.count, using: &random))
                } else if let option = options.randomElement(using: &random) {
                    line.options.insert(option, at: Int.random(in: 0...line.options.count, using: &random))
                }
            }
            do {
                let plan = try LaunchPlan.make(
                    commandLine: line,
                    facts: fixture.facts,
                    target: fixture.target,
                    handoffID: LaunchPlanGoldenTests.handoffID
                )
                planned += 1
                #expect(plan.arguments.suffix(3) == ["-S", "-incoming", "defer"])
            } catch {
                #expect(!error.problems.isEmpty)
            }
        }
        #expect(planned > 300)
    }
}
