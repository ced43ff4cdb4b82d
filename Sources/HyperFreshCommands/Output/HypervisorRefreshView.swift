import HyperFresh

/// The refresh of a hypervisor as it goes: a line a phase and a line a guest; one JSON event a line with `--json`.
struct HypervisorRefreshView {
    private let style: OutputStyle
    private(set) var exitCode: Int32 = 6
    /// Phases that have ended, of which it is not known yet whether well.
    private var ended: [(phase: HypervisorPhase, milliseconds: Double)] = []

    init(style: OutputStyle) { self.style = style }

    mutating func show(_ progress: HypervisorProgress) {
        if case .finished(let report) = progress { exitCode = report.exitCode }
        switch style {
        case .json: Console.out(json: progress.json)
        case .text(let terminal): showText(progress, on: terminal)
        }
    }

    private mutating func showText(_ progress: HypervisorProgress, on terminal: Terminal) {
        switch progress {
        case .began(let phase):
            showEnded(isFailure: false, on: terminal)
            working(on: phase.rawValue, terminal)
        case .ended(let phase, let milliseconds): ended.append((phase, milliseconds))
        case .note(let text): line("    \(text)", on: terminal)
        case .guest(let guest, .began(let phase)): working(on: "\(guest): \(phase.rawValue)", terminal)
        case .guest(let guest, .note(let text)): line("    \(guest): \(text)", on: terminal)
        case .guest: break
        case .finished(let report):
            showEnded(isFailure: report.failure != nil, on: terminal)
            finish(report, on: terminal)
        }
    }

    private mutating func showEnded(isFailure: Bool, on terminal: Terminal) {
        for (phase, milliseconds) in ended {
            let mark = isFailure ? terminal.paint("✗", .red) : terminal.paint("✓", .green)
            line("  \(mark) \(phase.rawValue.padded(to: 10)) \(Numbers.milliseconds(milliseconds))", on: terminal)
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

    private func finish(_ report: HypervisorReport, on terminal: Terminal) {
        if terminal.isInteractive { Console.write(Terminal.restartLine, to: 1) }
        if !report.guests.isEmpty {
            var table = TextTable(header: ["  \(report.tenant.uppercased())", "OUTCOME", "STOPPED"])
            for guest in report.guests {
                let stopped = guest.timing.map { Numbers.milliseconds(microseconds: $0.stopToResume) } ?? "-"
                table.append(["  \(guest.guest)", guest.outcome.rawValue, stopped])
            }
            table.print(on: terminal)
        }
        if let failure = report.failure {
            FailureReport.show(failure)
        } else {
            Console.out(terminal.paint("\(summary(of: report))", .bold))
        }
    }

    private func summary(of report: HypervisorReport) -> String {
        let system = report.new.map { "Linux \($0.kernel ?? "?"), QEMU \($0.qemu ?? "?")" } ?? "?"
        return report.outcome == .rehearsed
            ? "\(report.hypervisor) can be refreshed to \(system); no \(report.tenant) was paused"
            : "\(report.hypervisor) is fresh: \(system)"
    }
}
