import ArgumentParser
import HyperFresh

/// Runs a verb's work and turns its failure into words on standard error, or a JSON line, and an exit status.
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
    /// What several lines of somebody's words are, one by one.
    var lines: [String] { split(whereSeparator: \.isNewline).map(String.init) }
}

/// A failure for a person: what happened, whose words say so, where the guest is, what to do.
enum FailureReport {
    static func show(_ error: HyperFreshError) {
        let terminal = Terminal.standardError
        Console.error(terminal.paint("hyperfresh: \(error.message)", .red))
        for line in error.evidence.flatMap(\.lines) { Console.error("    \(line)") }
        if let guestState = error.guestState { Console.error("\(guestState)") }
        Console.error("→ \(error.remedy)")
    }
}
