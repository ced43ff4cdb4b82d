import Guests
import HyperFresh

/// A refresh as it goes: a line a phase, redrawn on a terminal; one JSON event a line with `--json`.
struct RefreshView {
    private let style: OutputStyle
    private(set) var exitCode: Int32 = 6
    /// Phases that have ended, of which it is not known yet whether well.
    private var ended: [PhaseTiming] = []

    init(style: OutputStyle) { self.style = style }

    mutating func show(_ progress: RefreshProgress) {
        if case .finished(let report) = progress { exitCode = report.outcome.exitCode }
        switch style {
        case .json: Console.out(json: progress.json)
        case .text(let terminal): showText(progress, on: terminal)
        }
    }

    private mutating func showText(_ progress: RefreshProgress, on terminal: Terminal) {
        switch progress {
        case .began(let phase):
            // A rollback follows a failure, but a dry run too: the end tells.
            if phase != .rollback { showEnded(isFailure: false, on: terminal) }
            guard terminal.isInteractive else { return }
            Console.write("\(Terminal.restartLine)  \(terminal.paint("…", .yellow)) \(phase.rawValue)", to: 1)
        case .ended(let timing): ended.append(timing)
        case .note(let text): line("    \(text)", on: terminal)
        case .finished(let report):
            showEnded(isFailure: report.failure != nil, on: terminal)
            finish(report, on: terminal)
        }
    }

    private mutating func showEnded(isFailure: Bool, on terminal: Terminal) {
        for timing in ended {
            let mark = isFailure && timing.phase != .rollback ? terminal.paint("✗", .red) : terminal.paint("✓", .green)
            let name = timing.phase.rawValue.padded(to: 10)
            line("  \(mark) \(name) \(Numbers.milliseconds(timing.milliseconds))", on: terminal)
        }
        ended = []
    }

    private func line(_ text: TerminalText, on terminal: Terminal) {
        Console.out(terminal.isInteractive ? "\(Terminal.restartLine)\(text)" : text)
    }

    private func finish(_ report: RefreshReport, on terminal: Terminal) {
        if terminal.isInteractive { Console.write(Terminal.restartLine, to: 1) }
        for finding in report.findings where finding.severity != .pass {
            for text in FindingView.lines(finding, on: terminal) { Console.out(text) }
        }
        if let failure = report.failure {
            FailureReport.show(failure)
        } else {
            Console.out(terminal.paint("\(summary(of: report))", .bold))
        }
    }

    private func summary(of report: RefreshReport) -> String {
        let side = report.new.map { "pid \($0.pid), QEMU \($0.version ?? "?")" } ?? "?"
        let stopped = report.timing.map { "; stopped for \(Numbers.milliseconds(microseconds: $0.stopToResume))" } ?? ""
        return switch report.outcome {
        case .refreshed where !report.warnings.isEmpty: "\(report.guest) is on \(side)\(stopped); see above"
        case .refreshed: "\(report.guest) runs on \(side)\(stopped)"
        case .rehearsed: "\(report.guest) can be refreshed to \(side); it was not paused"
        default: "\(report.guest): \(report.outcome.rawValue)"
        }
    }
}

extension String {
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
