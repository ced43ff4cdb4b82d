import ArgumentParser
import HyperFresh
import Logging

/// The command line, for whoever wants it as a program.
public enum CommandLineTool {
    /// Reads this process's arguments, does what they say, and exits.
    public static func run() async {
        StandardStreams.complete()
        let arguments = Array(CommandLine.arguments.dropFirst())
        var command: any ParsableCommand
        do {
            command = try await HyperFreshCommand.asyncParseAsRoot(arguments)
        } catch {
            // Asking for help is no failure.
            guard HyperFreshCommand.exitCode(for: error) == .validationFailure else {
                HyperFreshCommand.exit(withError: error)
            }
            UsageFailure.exit(with: error, arguments: arguments)
        }
        do {
            try await withLogger((command as? any Verb)?.common.logger ?? Logger(label: "hyperfresh")) { _ in
                if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
            }
        } catch {
            HyperFreshCommand.exit(withError: error)
        }
    }
}

/// The command `hyperfresh` with its verbs.
struct HyperFreshCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hyperfresh",
        abstract: "Replace the QEMU or the whole hypervisor beneath running guests, without their noticing.",
        discussion: """
            At most one QEMU ever runs a guest: before the commit the old one, after it the new one. Whatever fails \
            before the commit leaves the guest where it was.

            Exit status: 0 done; 1 failed, the guest runs on the old side; 3 blocked by preflight, nothing touched; \
            4 deadline passed, rolled back; 5 on the new side, cleaning up incomplete; 6 cannot tell, an operator must \
            look; 64 usage.
            """,
        version: Product.version,
        subcommands: [
            ListCommand.self, PlanCommand.self, RefreshCommand.self, RelocateCommand.self, UpCommand.self,
            PsCommand.self, DownCommand.self, RecoverCommand.self, StatusCommand.self, HistoryCommand.self,
            DoctorCommand.self, QMPShellCommand.self,
        ]
    )
}
