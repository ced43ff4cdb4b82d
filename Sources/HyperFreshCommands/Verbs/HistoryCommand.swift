import ArgumentParser
import HyperFresh

/// `hyperfresh history`.
struct HistoryCommand: Verb {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "List past refreshes with their outcomes and durations, newest last.",
        discussion: "hyperfresh keeps the last 100 refreshes since the host booted."
    )

    @Option(help: ArgumentHelp("Show at most this many refreshes.", valueName: "number"))
    var limit = 20

    @OptionGroup var common: CommonOptions

    func validate() throws {
        if limit < 1 { throw ValidationError("--limit must be at least 1.") }
    }

    func run() async throws {
        let entries = try await reportingFailure(as: common.style) { try common.host.history(limit: limit) }
        switch common.style {
        case .json: Console.out(json: entries.json(type: "history"), pretty: true)
        case .text(let terminal):
            guard !entries.isEmpty else { return Console.out("No refreshes on record.") }
            var table = TextTable(header: ["TIME", "ID", "GUEST", "FROM", "TO", "STOPPED", "TOTAL", "OUTCOME"])
            for entry in entries {
                table.append([
                    entry.time, entry.id, entry.guest, entry.oldVersion ?? "?", entry.newVersion ?? "?",
                    entry.switchMicroseconds.map(Numbers.milliseconds(microseconds:)) ?? "-",
                    entry.totalMilliseconds.map(Numbers.milliseconds) ?? "-", entry.outcome,
                ])
            }
            table.print(on: terminal)
            for problem in entries.compactMap(\.problem) { Console.out("  \(problem)") }
        }
    }
}
