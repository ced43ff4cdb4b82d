import ArgumentParser

/// Measures what hyperfresh costs its guests, and what its command line costs its users.
@main
struct SwitchBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switch-bench",
        abstract: "Measure hyperfresh.",
        subcommands: [
            SwitchCommand.self, NestedCommand.self, ContainersCommand.self, CLICommand.self, SoakCommand.self,
            ReportCommand.self,
        ]
    )
}
