import ArgumentParser
import Guests
import HyperFresh
import JSON

/// Prints the progress of `up` and `down`, a line for each step.
struct StackView: Sendable {
    let style: OutputStyle

    func show(_ progress: StackProgress) {
        switch (style, progress) {
        case (.json, .step(let text)):
            Console.out(json: ["schema": 1, "type": "step", "event": "began", "text": .string(text)])
        case (.json, .done(let text, let milliseconds)):
            Console.out(
                json: [
                    "schema": 1, "type": "step", "event": "ended", "text": .string(text), "ms": .number(milliseconds),
                ])
        case (.text(let terminal), .step(let text)):
            guard terminal.isInteractive else { return }
            Console.write("\(Terminal.restartLine)  \(terminal.paint("…", .yellow)) \(text)", to: 1)
        case (.text(let terminal), .done(let text, let milliseconds)):
            let line: TerminalText =
                "  \(terminal.paint("✓", .green)) \(text.padded(to: 40)) \(Numbers.milliseconds(milliseconds))"
            Console.out(terminal.isInteractive ? "\(Terminal.restartLine)\(line)" : line)
        }
    }
}

/// A finding as text: verdict, id and message on one line, evidence and remedy below.
enum FindingView {
    static func lines(_ finding: Finding, on terminal: Terminal) -> [TerminalText] {
        let verdict =
            switch finding.severity {
            case .pass: terminal.paint("PASS", .green)
            case .warn: terminal.paint("WARN", .yellow)
            case .fail: terminal.paint("FAIL", .red)
            }
        var lines: [TerminalText] = ["  \(verdict)  \(finding.id.rawValue.padded(to: 28)) \(finding.message)"]
        guard finding.severity != .pass else { return lines }
        lines += finding.evidence.flatMap(\.lines).map { "          \(terminal.paint("\($0)", .faint))" }
        if let remedy = finding.remedy { lines.append("        → \(remedy)") }
        return lines
    }
}

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
