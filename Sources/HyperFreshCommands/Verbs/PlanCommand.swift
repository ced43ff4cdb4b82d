import ArgumentParser
import HyperFresh

/// `hyperfresh plan`: what would happen, and what stands against it.
struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Check whether something can be refreshed, without touching it.",
        subcommands: [PlanGuestCommand.self]
    )
}

/// `hyperfresh plan guest`.
struct PlanGuestCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "guest",
        abstract: "Check one guest: PASS, WARN or FAIL with a stable id and a remedy (docs/preflight.md).",
        discussion: "Exit status 0 if a refresh may begin, 3 if something stands against it."
    )

    @Argument(help: "The guest: its name, its QEMU's pid, or the path of its QMP socket.")
    var guest: String

    @Option(help: ArgumentHelp("The new QEMU binary.", valueName: "binary"), completion: .file())
    var to: String?

    @Flag(help: "Print the command line of the new QEMU, too.")
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
                ? "Not refreshable: nothing was touched."
                : "Refreshable. Rehearse with: hyperfresh refresh guest \(guest) --dry-run")
    }
}
