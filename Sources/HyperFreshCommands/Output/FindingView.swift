import Guests
import HyperFresh

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
