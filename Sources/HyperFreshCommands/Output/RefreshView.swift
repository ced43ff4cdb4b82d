import Guests
import HyperFresh

/// A refresh as it goes: a line a phase, redrawn on a terminal; one JSON event a line with `--json`.
struct RefreshView {
    private let style: OutputStyle
    private(set) var exitCode: Int32 = 6

    init(style: OutputStyle) { self.style = style }

    mutating func show(_ progress: RefreshProgress) {
        if case .finished(let report) = progress { exitCode = report.outcome.exitCode }
        switch style {
        case .json: Console.out(json: progress.json)
        case .text(let terminal): showText(progress, on: terminal)
        }
    }

    private func showText(_ progress: RefreshProgress, on terminal: Terminal) {
        switch progress {
        case .began(let phase):
            guard terminal.isInteractive else { return }
            Console.write("\r\u{1B}[K  \(terminal.paint("…", .yellow)) \(phase.rawValue)", to: 1)
        case .ended(let timing):
            let name = timing.phase.rawValue.padded(to: 10)
            line("  \(terminal.paint("✓", .green)) \(name) \(Numbers.milliseconds(timing.milliseconds))", on: terminal)
        case .note(let text): line("    \(text)", on: terminal)
        case .finished(let report): finish(report, on: terminal)
        }
    }

    private func line(_ text: String, on terminal: Terminal) {
        Console.out(terminal.isInteractive ? "\r\u{1B}[K\(text)" : text)
    }

    private func finish(_ report: RefreshReport, on terminal: Terminal) {
        if terminal.isInteractive { Console.write("\r\u{1B}[K", to: 1) }
        for finding in report.findings where finding.severity != .pass {
            for text in FindingView.lines(finding, on: terminal) { Console.out(text) }
        }
        if let failure = report.failure {
            FailureReport.show(failure)
        } else {
            Console.out(terminal.paint(summary(of: report), .bold))
        }
    }

    private func summary(of report: RefreshReport) -> String {
        let side = report.new.map { "pid \($0.pid), QEMU \($0.version ?? "?")" } ?? "?"
        let stopped = report.timing.map { "; stopped for \(Numbers.milliseconds(microseconds: $0.stopToResume))" } ?? ""
        return switch report.outcome {
        case .refreshed: "\(report.guest) runs on \(side)\(stopped)"
        case .rehearsed: "\(report.guest) can be refreshed to \(side); it was not paused"
        default: "\(report.guest): \(report.outcome.rawValue)"
        }
    }
}

extension String {
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
