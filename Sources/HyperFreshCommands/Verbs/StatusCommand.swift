import ArgumentParser
import HyperFresh

/// `hyperfresh status`.
struct StatusCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "List handoffs that are in progress or unfinished."
    )

    @OptionGroup var common: CommonOptions

    func run() async throws {
        let handoffs = try await reportingFailure(as: common.style) { try common.host.status() }
        switch common.style {
        case .json: Console.out(json: handoffs.json(type: "status"), pretty: true)
        case .text(let terminal):
            guard !handoffs.isEmpty else { return Console.out("No handoff is in progress or unfinished.") }
            var table = TextTable(header: ["ID", "GUEST", "STATE", "OLD", "NEW", "SINCE", ""])
            for handoff in handoffs {
                table.append([
                    handoff.id, handoff.guest, handoff.state, handoff.oldPID.map(String.init) ?? "-",
                    handoff.newPID.map(String.init) ?? "-", handoff.since,
                    handoff.isGoingOn ? "in progress" : "unfinished: run hyperfresh recover",
                ])
            }
            table.print(on: terminal)
            for problem in handoffs.compactMap(\.problem) { Console.out("  \(problem)") }
        }
    }
}
