import ArgumentParser
import HyperFresh

/// `hyperfresh recover`.
struct RecoverCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Complete or roll back unfinished handoffs, and rebuild damaged records.",
        discussion: """
            Run this after hyperfresh was killed during a refresh, or when records are damaged or lost.

            A committed handoff is completed on the new side; an uncommitted one is rolled back to the old side. \
            Records are rebuilt from the running processes: recover finds each hypervisor by its process and asks it \
            for its guests. Without --force, it never ends a hypervisor that has guests or does not answer. A second \
            run changes nothing.

            Exit status: 0 if everything is settled; 6 if a guest is lost or an operator must look.
            """
    )

    @Option(
        help: ArgumentHelp(
            "First kill this instance (such as alpha-1f3c) and everything in it, without asking its agent.",
            valueName: "instance"))
    var force: String?

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let summary = try await reportingFailure(as: common.style) {
            try await common.host.recover(forcing: force)
        }
        switch common.style {
        case .json: Console.out(json: summary.json, pretty: true)
        case .text(let terminal):
            if summary.handoffs.isEmpty, summary.cleanUps.isEmpty, summary.problems.isEmpty {
                Console.out("Nothing to recover.")
            }
            for report in summary.handoffs {
                Console.out("\(terminal.paint("\(report.guest)", .bold)) (\(report.id)): \(report.summary)")
                if let remedy = report.remedy { Console.out("  → \(remedy)") }
            }
            for line in summary.cleanUps { Console.out("\(line)") }
            for problem in summary.problems { show(problem, on: terminal) }
        }
        throw ExitCode(summary.exitCode)
    }

    private func show(_ problem: RecoveryProblem, on terminal: Terminal) {
        Console.out("\(terminal.paint("\(problem.subject)", .bold)): \(problem.error.message)")
        for line in problem.error.evidence { Console.out("    \(line)") }
        if let state = problem.error.guestState { Console.out("  \(state)") }
        Console.out("  → \(problem.error.remedy)")
    }
}
