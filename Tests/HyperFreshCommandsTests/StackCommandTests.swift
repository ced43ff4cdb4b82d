import CanaryTesting
import JSON
import Journal
import Linux
import Testing

/// The hypervisor subcommands on a host where no hypervisor runs.
@Suite struct StackCommandTests {
    /// Runs the command with the record of a stack whose hypervisor alpha has died.
    private func withDeadStack(_ arguments: String...) async throws -> ChildProgram.Result {
        let folder = "/tmp/hyperfresh-dead-\(UInt32.random(in: .min ... .max))"
        try Files.createDirectory(folder)
        try Files.createDirectory("\(folder)/stacks")
        let text = "version: 1\nname: demo\nhypervisors:\n  - {name: alpha, image: ./no-image}\n"
        try RecordFile("\(folder)/stacks/demo", subject: "stack demo").write(
            ["name": "demo", "origin": .string(folder), "text": .string(text)])
        let result = try await Command.run(arguments + ["--state-dir", folder])
        _ = try await ChildProgram.run("rm", ["-rf", folder])
        return result
    }

    @Test func aPhaseThatFailedIsNotTickedOff() async throws {
        let result = try await withDeadStack("refresh", "hypervisor", "alpha")
        #expect(result.ending == .exited(3), "\(result)")
        #expect(result.output.contains("✗ admission"), "\(result)")
        #expect(!result.output.contains("✓"), "\(result)")
        #expect(result.errors.contains("build-hypervisor-image"), "\(result)")
    }

    @Test func itsEndIsToldInJSON() async throws {
        let result = try await withDeadStack("refresh", "hypervisor", "alpha", "--json")
        #expect(result.ending == .exited(3), "\(result)")
        let lines = try result.lines
        #expect(lines.map { $0["type"] } == ["phase", "phase", "result"], "\(result)")
        #expect(lines.last?["outcome"] == "blocked")
        #expect(lines.last?["exit_code"] == 3)
        #expect(result.errors.isEmpty, "\(result)")
    }

    @Test func aDeadHypervisorIsShownAsSuch() async throws {
        let text = try await withDeadStack("ps")
        #expect(text.ending == .exited(0), "\(text)")
        #expect(text.output.contains("alpha  not running  (stack demo)"), "\(text)")
        let items = try await withDeadStack("ps", "--json").lines.first?["items"]?.array
        #expect(items?.first?["name"] == "alpha")
        #expect(items?.first?["instances"] == [])
    }

    @Test func aDeadStackIsTakenDown() async throws {
        let result = try await withDeadStack("down", "demo", "--now", "--json")
        #expect(result.ending == .exited(0), "\(result)")
        let steps = try result.lines
        #expect(steps.map { $0["event"] } == ["began", "ended"], "\(result)")
        #expect(steps.allSatisfy { $0["type"] == "step" })
    }

    @Test(arguments: [["refresh", "hypervisor", "nobody"], ["down", "nobody"], ["up", "/nowhere/stack.yaml"]])
    func whatIsNotThereIsAUsageErrorInEveryForm(arguments: [String]) async throws {
        let text = try await Command.run(arguments)
        #expect(text.ending == .exited(64), "\(text)")
        #expect(text.errors.contains("→ "), "\(text)")
        let json = try await Command.run(arguments + ["--json"])
        #expect(json.ending == .exited(64), "\(json)")
        #expect(try json.lines.last?["exit_code"] == 64, "\(json)")
    }

    @Test func doctorLooksAtWhatHypervisorsCanUse() async throws {
        let result = try await Command.run(["doctor", "--json"])
        let ids = Set(try result.lines.first?["items"]?.array?.compactMap { $0["id"]?.string } ?? [])
        let wanted: Set = [
            "nesting-unusable", "huge-pages-missing", "shmem-huge-pages-off", "vhost-unusable", "iommu-unusable",
            "bridge-unusable", "no-room-guest-memory", "containers-unusable",
        ]
        #expect(wanted.subtracting(ids).isEmpty, "\(result)")
    }
}
