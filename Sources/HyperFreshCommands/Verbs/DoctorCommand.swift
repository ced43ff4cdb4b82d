import ArgumentParser
import Guests
import HyperFresh

/// `hyperfresh doctor`.
struct DoctorCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check this host: permissions, kernel features, QEMU, memory, leftovers of earlier runs.",
        discussion: "Exit status: 0 if no check fails, 3 otherwise."
    )

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let findings = await common.host.doctor()
        switch common.style {
        case .json: Console.out(json: findings.json(type: "doctor"), pretty: true)
        case .text(let terminal):
            for line in findings.flatMap({ FindingView.lines($0, on: terminal) }) { Console.out(line) }
        }
        throw ExitCode(findings.contains { $0.severity == .fail } ? RefreshOutcome.blocked.exitCode : 0)
    }
}
