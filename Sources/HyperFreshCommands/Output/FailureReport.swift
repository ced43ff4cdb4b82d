import ArgumentParser
import HyperFresh

/// Runs a subcommand's work; reports its failure as text on standard error or as a JSON line, and throws the exit
/// status.
func reportingFailure<Result>(
    as style: OutputStyle, _ work: () async throws -> Result
) async throws -> Result {
    do {
        return try await work()
    } catch let error as HyperFreshError {
        switch style {
        case .json: Console.out(json: error.json)
        case .text: FailureReport.show(error)
        }
        throw ExitCode(error.exitCode)
    }
}

extension String {
    /// The lines of this text, without empty ones.
    var lines: [String] { split(whereSeparator: \.isNewline).map(String.init) }
}

/// A failure as text: the message, the evidence, the state of the guest, and the remedy.
enum FailureReport {
    static func show(_ error: HyperFreshError) {
        let terminal = Terminal.standardError
        Console.error(terminal.paint("hyperfresh: \(error.message)", .red))
        for line in error.evidence.flatMap(\.lines) { Console.error("    \(line)") }
        if let guestState = error.guestState { Console.error("\(guestState)") }
        Console.error("→ \(error.remedy)")
    }
}
