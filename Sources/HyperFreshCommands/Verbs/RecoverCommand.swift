import ArgumentParser
import HyperFresh

/// `hyperfresh recover`.
struct RecoverCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Bring every unfinished handoff to its one right end, and make damaged records anew from what runs.",
        discussion: """
            For a refresh whose controller was killed, and for records that are damaged or lost. Each guest ends on the old side \
            if the handoff was not committed, on the new side if it was. Hypervisors are found by their processes and asked what \
            is in them; one that has guests, or does not answer, is never ended. Running it again changes nothing. Exit status 0 \
            if all is settled, 6 if a guest is lost or an operator must look.
            """
    )

    @Option(
        help: ArgumentHelp(
            "End an instance first, with all that is in it and without asking it.", valueName: "instance"))
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
