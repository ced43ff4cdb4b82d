import Guests

/// Formats a plan as lines of text, for comparison and reading.
enum PlanText {
    /// Returns everything of a plan except its arguments.
    static func lines(_ plan: LaunchPlan) -> [String] {
        var lines = ["executable \(plan.executable)", "folder \(plan.workingDirectory)"]
        lines.append("started with \(plan.startsAsController ? "the controller's rights" : "the old process's rights")")
        lines += plan.environment.map { "environment \($0)" }
        lines.append("standard input \(stream(plan.standardInput))")
        lines.append("standard output \(stream(plan.standardOutput))")
        lines.append("standard error \(stream(plan.standardError))")
        lines += plan.descriptors.map { "descriptor \($0.number): \(source($0.source)), \(role($0.role))" }
        lines += plan.endpoints.map { "\($0.kind.rawValue) \($0.temporary) -> \($0.lasting)" }
        lines.append("controller talks to \(plan.qmpSocket)")
        lines += plan.followUps.map(followUp)
        lines += plan.warnings.map { "warning \($0)" }
        return lines
    }

    private static func stream(_ stream: StandardStream) -> String {
        switch stream {
        case .oldProcess(let number): "descriptor \(number) of the old process"
        case .append(let path): "appended to \(path)"
        }
    }

    private static func source(_ source: PlannedDescriptor.Source) -> String {
        switch source {
        case .oldProcess(let number): "descriptor \(number) of the old process"
        case .vhostNet: "/dev/vhost-net opened anew"
        }
    }

    private static func role(_ role: PlannedDescriptor.Role) -> String {
        switch role {
        case .tap(let interface): "tap \(interface ?? "of unknown name")"
        case .vhostNet: "vhost-net"
        case .listener: "listening socket"
        case .fdSet(let id): "fd set \(id)"
        case .other: "other"
        }
    }

    private static func followUp(_ followUp: FollowUp) -> String {
        switch followUp {
        case .vncListen(let display, let descriptors):
            "then VNC display \(display) listens on descriptors \(descriptors) of the old process"
        case .hostForward(let netdev, let rule):
            "then hostfwd_add \(netdev.map { $0 + " " } ?? "")\(rule)"
        }
    }
}

/// The differing lines of two texts, in order.
enum LineDifference {
    /// Returns an empty text if they are equal; otherwise one line each, prefixed with `-` or `+`.
    static func text(from old: [String], to new: [String]) -> String {
        let changes = new.difference(from: old)
        let lines = changes.map { change in
            switch change {
            case .insert(let offset, let line, _): (offset, 1, "+ \(line)")
            case .remove(let offset, let line, _): (offset, 0, "- \(line)")
            }
        }
        return lines.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2).joined(separator: "\n")
    }
}
