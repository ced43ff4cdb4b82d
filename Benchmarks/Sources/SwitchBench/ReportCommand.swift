import ArgumentParser
import Foundation

/// `switch-bench report`.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Write the tables of docs/performance.md and the chart anew from the results in JSON.",
        discussion:
            "What stands between <!-- bench:NAME --> and <!-- /bench --> is replaced; all other text is left alone."
    )

    @Option(help: ArgumentHelp("What `switch` has measured.", valueName: "file"))
    var `switch` = "Benchmarks/results/switch.json"

    @Option(help: ArgumentHelp("What `cli` has measured.", valueName: "file"))
    var cli = "Benchmarks/results/cli.json"

    @Option(help: ArgumentHelp("The document.", valueName: "file"))
    var document = "docs/performance.md"

    @Option(help: ArgumentHelp("The chart.", valueName: "file"))
    var chart = "docs/switch.svg"

    func run() throws {
        let results = try ResultFile.read(SwitchResults.self, from: `switch`)
        let cliResults = try ResultFile.read(CLIResults.self, from: cli)
        let report = SwitchReport(results)
        let text = try String(contentsOfFile: document, encoding: .utf8)
        let sections = [
            "machine": report.machine,
            "targets": Targets(results: results, cli: cliResults).table.markdown,
            "switch": report.overview.markdown,
            "shares": report.shares.markdown,
            "phases": report.phases.markdown,
            "witness": report.witness.markdown,
            "cli": cliResults.table.markdown,
        ]
        try ResultFile.save(try Self.fill(text, with: sections), to: document)
        try ResultFile.save(SwitchChart(results).svg, to: chart)
    }

    private static func fill(_ text: String, with sections: [String: String]) throws -> String {
        var lines: [String] = []
        var open: String?
        for line in text.components(separatedBy: "\n") {
            if line.hasPrefix("<!-- bench:") {
                let name = line.dropFirst("<!-- bench:".count).prefix { $0 != " " }
                guard let section = sections[String(name)] else { throw BenchError("there is no section \(name)") }
                open = String(name)
                lines += [line, "", section, ""]
            } else if line.hasPrefix("<!-- /bench") {
                open = nil
            }
            if open == nil { lines.append(line) }
        }
        if let open { throw BenchError("section \(open) has no end") }
        return lines.joined(separator: "\n")
    }
}
