import Guests
import HyperFresh

extension HandoffReport: ShownReport {
    func details(on terminal: Terminal) -> [TerminalText] {
        findings.filter { $0.severity != .pass }.flatMap { FindingView.lines($0, on: terminal) }
    }

    var summary: String {
        let side = new.map { "pid \($0.pid), QEMU \($0.version ?? "?")" } ?? "?"
        let stopped = timing.map { "; stopped for \(Numbers.milliseconds(microseconds: $0.stopToResume))" } ?? ""
        return switch outcome {
        case .refreshed where !warnings.isEmpty: "\(guest) is on \(side)\(stopped); see the warnings above"
        case .refreshed: "\(guest) runs on \(side)\(stopped)"
        case .rehearsed: "\(guest) can be refreshed to \(side); it was not paused"
        default: "\(guest): \(outcome.rawValue)"
        }
    }
}

extension HypervisorReport: ShownReport {
    func details(on terminal: Terminal) -> [TerminalText] {
        guard !guests.isEmpty else { return [] }
        var table = TextTable(header: ["  \(tenant.uppercased())", "OUTCOME", "STOPPED"])
        for guest in guests {
            let stopped = guest.timing.map { Numbers.milliseconds(microseconds: $0.stopToResume) } ?? "-"
            table.append(["  \(guest.guest)", guest.outcome.rawValue, stopped])
        }
        return table.lines(on: terminal)
    }

    var summary: String {
        let system = new.map { "Linux \($0.kernel ?? "?"), QEMU \($0.qemu ?? "?")" } ?? "?"
        return outcome == .rehearsed
            ? "\(hypervisor) can be refreshed to \(system); no \(tenant) was paused"
            : "\(hypervisor) refreshed: \(system)"
    }
}

extension RelocationReport: ShownReport {
    func details(on terminal: Terminal) -> [TerminalText] {
        guard failure == nil else { return [] }
        return (handover?.steps ?? []).map { step in
            "      \(step.name.padded(to: 12)) \(Numbers.milliseconds(Double(step.milliseconds)))"
        }
    }

    var summary: String {
        let system = "\(to) (Linux \(new?.kernel ?? "?"))"
        guard outcome != .rehearsed else {
            return "\(container) can be relocated to \(system); it was not frozen"
        }
        let stopped = handover?.timing.map { Numbers.milliseconds(microseconds: $0.stopToResume) } ?? "?"
        return "\(container) runs in \(system); stopped for \(stopped)"
    }
}
