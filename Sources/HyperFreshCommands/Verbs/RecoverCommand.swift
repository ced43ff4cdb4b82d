import ArgumentParser
import HyperFresh

/// `hyperfresh recover`.
struct RecoverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Bring every unfinished handoff to its one right end.",
        discussion: """
            For a refresh whose controller was killed. Each guest ends on the old side if the handoff was not committed, \
            on the new side if it was. Running it again changes nothing. Exit status 0 if every handoff is settled, 6 if \
            an operator must look.
            """
    )

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let summary = try await reportingFailure(as: common.style) { try await common.host().recover() }
        switch common.style {
        case .json: Console.out(json: summary.json, pretty: true)
        case .text(let terminal):
            if summary.handoffs.isEmpty, summary.cleanUps.isEmpty { Console.out("Nothing to recover.") }
            for report in summary.handoffs {
                Console.out("\(terminal.paint("\(report.guest)", .bold)) (\(report.id)): \(report.summary)")
                if let remedy = report.remedy { Console.out("  → \(remedy)") }
            }
            for line in summary.cleanUps { Console.out("\(line)") }
        }
        throw ExitCode(summary.exitCode)
    }
}
