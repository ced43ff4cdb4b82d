import HyperFresh

/// The text that a refresh or relocation prints when it has succeeded.
protocol ShownReport: OperationReport {
    /// Lines above the summary.
    func details(on terminal: Terminal) -> [TerminalText]
    /// The last line.
    var summary: String { get }
}

/// Prints the progress of an operation: a line for each phase, redrawn on a terminal; one JSON event a line with
/// `--json`.
struct OperationView<Report: ShownReport> {
    private let style: OutputStyle
    private(set) var exitCode: Int32 = 6
    /// Phases that have ended; the view does not know yet whether they succeeded.
    private var ended: [PhaseTiming] = []

    init(style: OutputStyle) { self.style = style }

    /// Shows the progress of an operation until it ends.
    ///
    /// - Returns: The command's exit status.
    static func follow(_ operation: Operation<Report>, style: OutputStyle) async -> Int32 {
        InterruptSignals.handle { operation.cancel() }
        var view = OperationView(style: style)
        for await progress in operation.progress { view.show(progress) }
        return view.exitCode
    }

    private mutating func show(_ progress: Progress<Report>) {
        if case .finished(let report) = progress { exitCode = report.exitCode }
        switch style {
        case .json: Console.out(json: progress.json)
        case .text(let terminal): showText(progress, on: terminal)
        }
    }

    private mutating func showText(_ progress: Progress<Report>, on terminal: Terminal) {
        switch progress {
        case .event(.began(let phase)):
            // A rollback follows a failure and also a dry run; only the final report tells which.
            if phase != .rollback { showEnded(isFailure: false, on: terminal) }
            working(on: phase.rawValue, terminal)
        case .event(.ended(let timing)): ended.append(timing)
        case .event(.note(let text)): line("    \(text)", on: terminal)
        case .guest(let guest, .began(let phase)): working(on: "\(guest): \(phase.rawValue)", terminal)
        case .guest(let guest, .note(let text)): line("    \(guest): \(text)", on: terminal)
        case .guest(_, .ended): break
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

    private func working(on what: String, _ terminal: Terminal) {
        guard terminal.isInteractive else { return }
        Console.write("\(Terminal.restartLine)  \(terminal.paint("…", .yellow)) \(what)", to: 1)
    }

    private func line(_ text: TerminalText, on terminal: Terminal) {
        Console.out(terminal.isInteractive ? "\(Terminal.restartLine)\(text)" : text)
    }

    private func finish(_ report: Report, on terminal: Terminal) {
        if terminal.isInteractive { Console.write(Terminal.restartLine, to: 1) }
        for line in report.details(on: terminal) { Console.out(line) }
        if let failure = report.failure {
            FailureReport.show(failure)
        } else {
            Console.out(terminal.paint("\(report.summary)", .bold))
        }
    }
}

extension String {
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
