import ArgumentParser
import HyperFresh
import Logging

/// The `hyperfresh` program as a library, so that `main.swift` is one call.
public enum CommandLineTool {
    /// Parses this process's arguments, runs the subcommand, and exits with its status.
    public static func run() async {
        StandardStreams.complete()
        let arguments = Array(CommandLine.arguments.dropFirst())
        var command: any ParsableCommand
        do {
            command = try await HyperFreshCommand.asyncParseAsRoot(arguments)
        } catch {
            // A request for help is not a failure.
            guard HyperFreshCommand.exitCode(for: error) == .validationFailure else {
                HyperFreshCommand.exit(withError: error)
            }
            UsageFailure.exit(with: error, arguments: arguments)
        }
        let writer = LogWriter()
        do {
            try await perform(command, writer)
            await writer.finish()
        } catch {
            await writer.finish()
            HyperFreshCommand.exit(withError: error)
        }
    }

    private static func perform(_ command: any ParsableCommand, _ writer: LogWriter) async throws {
        guard let parsed = command as? any Verb else {
            // Help and the groups of verbs.
            var command = command
            return try command.run()
        }
        // Only this task has it.
        nonisolated(unsafe) var verb = parsed
        try await withLogger(verb.common.logger(writer)) { _ in try await verb.run() }
    }
}

/// The command `hyperfresh` with its subcommands.
struct HyperFreshCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hyperfresh",
        abstract: "Replace the QEMU, hypervisor or operating system beneath running guests and containers.",
        discussion: """
            At most one QEMU ever runs a guest: the old one before the commit, the new one after it. If a refresh \
            fails before the commit, hyperfresh rolls it back and the guest stays on the old side.

            Exit status:
              0   done
              1   failed; the guests stay on the old side
              3   blocked by a check; nothing was changed
              4   a deadline passed; rolled back
              5   incomplete: the guest moved but the cleanup failed, or only some guests moved
              6   a guest is lost, or its state is unknown; an operator must look
              64  usage error
            """,
        version: Product.version,
        subcommands: [
            ListCommand.self, PlanCommand.self, RefreshCommand.self, RelocateCommand.self, UpCommand.self,
            PsCommand.self, DownCommand.self, RecoverCommand.self, StatusCommand.self, HistoryCommand.self,
            DoctorCommand.self, QMPShellCommand.self,
        ]
    )
}
