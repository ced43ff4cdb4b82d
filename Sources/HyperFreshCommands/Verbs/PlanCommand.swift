import ArgumentParser
import HyperFresh

/// `hyperfresh plan`: checks a refresh without starting it.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Check whether a guest can be refreshed, without changing anything.",
        subcommands: [PlanGuestCommand.self]
    )
}

/// `hyperfresh plan guest`.
struct PlanGuestCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "guest",
        abstract: "Check whether a guest can be refreshed, without changing anything.",
        discussion: """
            Prints one finding for each check: PASS, WARN or FAIL, an ID, and a remedy. docs/preflight.md lists the IDs.

            Exit status: 0 if the guest can be refreshed, 3 if a check fails.
            """
    )

    @Argument(help: "The guest's name, its QEMU's pid, or the path of its QMP socket.")
    var guest: String

    @Option(
        help: ArgumentHelp(
            "The new QEMU binary. Default: the binary now installed at the old one's path.", valueName: "binary"),
        completion: .file())
    var to: String?

    @Flag(help: "Also print the command line of the new QEMU.")
    var commandLine = false

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let plan = try await reportingFailure(as: common.style) {
            try await common.host.plan(guest: guest, target: to)
        }
        switch common.style {
        case .json: Console.out(json: plan.json, pretty: true)
        case .text(let terminal): show(plan, on: terminal)
        }
        throw ExitCode(plan.isBlocked ? RefreshOutcome.blocked.exitCode : 0)
    }

    private func show(_ plan: GuestPlan, on terminal: Terminal) {
        Console.out(terminal.paint("\(plan.guest) (pid \(plan.pid)) → \(plan.target)", .bold))
        for finding in plan.findings {
            for line in FindingView.lines(finding, on: terminal) { Console.out(line) }
        }
        if commandLine, let shell = plan.shellCommandLine { Console.out("\n\(shell)") }
        Console.out(
            plan.isBlocked
                ? "Cannot be refreshed. Nothing was changed."
                : "Can be refreshed. To rehearse: hyperfresh refresh guest \(guest) --dry-run")
    }
}
