import HyperFresh

/// A relocation as it goes: a line a phase; one JSON event a line with `--json`.
struct RelocationView {
    private let style: OutputStyle
    private(set) var exitCode: Int32 = 6
    /// The phase that has ended, of which it is not known yet whether well.
    private var ended: (phase: String, milliseconds: Double)?

    init(style: OutputStyle) { self.style = style }

    mutating func show(_ progress: RelocationProgress) {
        if case .finished(let report) = progress { exitCode = report.exitCode }
        switch style {
        case .json: Console.out(json: progress.json)
        case .text(let terminal): showText(progress, on: terminal)
        }
    }

    private mutating func showText(_ progress: RelocationProgress, on terminal: Terminal) {
        switch progress {
        case .began(let phase):
            showEnded(isFailure: false, on: terminal)
            guard terminal.isInteractive else { return }
            Console.write("\(Terminal.restartLine)  \(terminal.paint("…", .yellow)) \(phase)", to: 1)
        case .ended(let phase, let milliseconds): ended = (phase, milliseconds)
        case .note(let text): line("    \(text)", on: terminal)
        case .finished(let report):
            showEnded(isFailure: report.failure != nil, on: terminal)
            finish(report, on: terminal)
        }
    }

    private mutating func showEnded(isFailure: Bool, on terminal: Terminal) {
        guard let (phase, milliseconds) = ended else { return }
        let mark = isFailure ? terminal.paint("✗", .red) : terminal.paint("✓", .green)
        line("  \(mark) \(phase.padded(to: 10)) \(Numbers.milliseconds(milliseconds))", on: terminal)
        ended = nil
    }

    private func line(_ text: TerminalText, on terminal: Terminal) {
        Console.out(terminal.isInteractive ? "\(Terminal.restartLine)\(text)" : text)
    }

    private func finish(_ report: RelocationReport, on terminal: Terminal) {
        if terminal.isInteractive { Console.write(Terminal.restartLine, to: 1) }
        if let failure = report.failure { return FailureReport.show(failure) }
        for step in report.handover?.steps ?? [] {
            line("      \(step.name.padded(to: 12)) \(Numbers.milliseconds(Double(step.milliseconds)))", on: terminal)
        }
        Console.out(terminal.paint("\(summary(of: report))", .bold))
    }

    private func summary(of report: RelocationReport) -> String {
        let system = "\(report.to) (Linux \(report.new?.kernel ?? "?"))"
        guard report.outcome != .rehearsed else {
            return "\(report.container) can be relocated to \(system); it was never frozen"
        }
        let stopped = report.handover?.timing.map { Numbers.milliseconds(microseconds: $0.stopToResume) } ?? "?"
        return "\(report.container) runs in \(system); it stood still for \(stopped)"
    }
}
