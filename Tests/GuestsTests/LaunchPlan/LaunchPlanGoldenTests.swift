import Foundation
import Guests
@testable import QEMUCommandLine
import Testing

/// Real command lines, and the plans made from them.
///
/// `HYPERFRESH_UPDATE_GOLDEN=1 swift test --filter LaunchPlanGoldenTests` writes the current plans; review the
/// difference before committing it.
@Suite struct LaunchPlanGoldenTests {
    static let handoffID = "1a2b3c4d"

    @Test func everyFixtureLoads() {
        #expect(!LaunchFixture.names.isEmpty)
        #expect(LaunchFixture.all.map(\.name) == LaunchFixture.names)
    }

    @Test(arguments: LaunchFixture.all)
    func planIsAsRecorded(_ fixture: LaunchFixture) throws {
        do {
            let plan = try Self.plan(fixture)
            try compare(plan.arguments, fixture, "new.args")
            try compare(PlanText.lines(plan), fixture, "plan.txt")
            try compare(nil, fixture, "problems.txt")
        } catch let error as LaunchPlanError {
            try compare(error.problems.map(\.description), fixture, "problems.txt")
            try compare(nil, fixture, "new.args")
            try compare(nil, fixture, "plan.txt")
        }
    }

    /// The next refresh knows only the command line of the refreshed QEMU.
    @Test(arguments: LaunchFixture.all)
    func planOfAPlanIsThePlan(_ fixture: LaunchFixture) throws {
        guard let first = try? Self.plan(fixture) else { return }
        let (old, new) = (fixture.facts.binary, fixture.target)
        let back = try Self.next(first, fixture.facts, from: new, to: old, id: "00000002")
        let again = try Self.next(back.plan, back.facts, from: old, to: new, id: Self.handoffID)
        #expect(LineDifference.text(from: first.arguments, to: again.plan.arguments) == "")
        #expect(first.endpoints == again.plan.endpoints)
        #expect(first.environment.sorted() == again.plan.environment.sorted())
        #expect(first.workingDirectory == again.plan.workingDirectory)
        #expect(first.startsAsController == again.plan.startsAsController)
        #expect(first.qmpSocket == again.plan.qmpSocket)
        #expect(first.followUps.count == again.plan.followUps.count)
        #expect(first.descriptors.map(\.number) == again.plan.descriptors.map(\.number))
        #expect(first.descriptors.map(\.role) == again.plan.descriptors.map(\.role))
    }

    // MARK: - Planning

    static func plan(_ fixture: LaunchFixture) throws -> LaunchPlan {
        try LaunchPlan.make(
            commandLine: fixture.commandLine(),
            facts: fixture.facts,
            target: fixture.target,
            handoffID: handoffID
        )
    }

    /// Plans from the process that a plan has started.
    static func next(
        _ plan: LaunchPlan,
        _ facts: LaunchFacts,
        from binary: QEMUBinary,
        to target: QEMUBinary,
        id: String
    ) throws -> (plan: LaunchPlan, facts: LaunchFacts) {
        let facts = LaunchedProcess.facts(after: plan, from: facts, binary: binary)
        let line = try CommandLine(arguments: plan.arguments) { _ in throw BadFixture(reason: "-readconfig is left") }
        return (try LaunchPlan.make(commandLine: line, facts: facts, target: target, handoffID: id), facts)
    }

    // MARK: - Golden files

    /// Compares with a golden file, or writes it; nil means that no file may exist.
    private func compare(_ lines: [String]?, _ fixture: LaunchFixture, _ file: String) throws {
        let url = LaunchFixture.folder.appendingPathComponent("\(fixture.name)/\(file)")
        if ProcessInfo.processInfo.environment["HYPERFRESH_UPDATE_GOLDEN"] == "1" {
            try? FileManager.default.removeItem(at: url)
            try lines?.map { $0 + "\n" }.joined().write(to: url, atomically: true, encoding: .utf8)
            return
        }
        let recorded = try? String(contentsOf: url, encoding: .utf8).split(separator: "\n").map(String.init)
        let difference = LineDifference.text(from: recorded ?? [], to: lines ?? [])
        #expect(difference.isEmpty, "\(fixture.name)/\(file) differs:\n\(difference)")
        #expect((recorded == nil) == (lines == nil), "\(fixture.name)/\(file) is there or not, unlike recorded")
    }
}
