import ArgumentParser

/// Measures the downtime that hyperfresh causes, and the cost of its command line.
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
