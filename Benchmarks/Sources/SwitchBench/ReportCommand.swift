import ArgumentParser
import Foundation

/// The command `switch-bench report`.
struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Regenerate tables and charts of docs/performance.md and docs/soak.md from the results.",
        discussion:
            "Replaces the text between <!-- bench:NAME --> and <!-- /bench -->; leaves all other text unchanged."
    )

    @Option(help: ArgumentHelp("The results of `switch`.", valueName: "file"))
    var `switch` = "Benchmarks/results/switch.json"

    @Option(help: ArgumentHelp("The results of `cli`.", valueName: "file"))
    var cli = "Benchmarks/results/cli.json"

    @Option(help: ArgumentHelp("The results of `hypervisor`.", valueName: "file"))
    var hypervisor = "Benchmarks/results/hypervisor.json"

    @Option(help: ArgumentHelp("The results of `containers`.", valueName: "file"))
    var containers = "Benchmarks/results/containers.json"

    @Option(help: ArgumentHelp("The results of `soak`.", valueName: "file"))
    var soak = "Benchmarks/results/soak.json"

    @Option(help: ArgumentHelp("The document to update.", valueName: "file"))
    var document = "docs/performance.md"

    @Option(help: ArgumentHelp("The document to update with the results of `soak`.", valueName: "file"))
    var soakDocument = "docs/soak.md"

    @Option(help: ArgumentHelp("The chart of `switch`.", valueName: "file"))
    var chart = "docs/switch.svg"

    @Option(help: ArgumentHelp("The chart of `hypervisor`.", valueName: "file"))
    var hypervisorChart = "docs/hypervisor.svg"

    @Option(help: ArgumentHelp("The chart of `containers`.", valueName: "file"))
    var containersChart = "docs/containers.svg"

    @Option(help: ArgumentHelp("The chart of `soak`.", valueName: "file"))
    var soakChart = "docs/soak.svg"

    func run() throws {
        let results = try ResultFile.read(SwitchResults.self, from: `switch`)
        let cliResults = try ResultFile.read(CLIResults.self, from: cli)
        let report = SwitchReport(results)
        let text = try String(contentsOfFile: document, encoding: .utf8)
        let nested = try nestedSections()
        let sections = [
            "machine": report.machine,
            "targets": SwitchTargets(results: results, cli: cliResults).table.markdown,
            "switch": report.overview.markdown,
            "shares": report.shares.markdown,
            "phases": report.phases.markdown,
            "witness": report.witness.markdown,
            "cli": cliResults.table.markdown,
        ].merging(nested) { $1 }.merging(try containerSections()) { $1 }
        try ResultFile.save(try Self.fill(text, with: sections), to: document)
        try ResultFile.save(SwitchChart(results).svg, to: chart)
        try reportSoak()
    }

    /// Returns the sections for `hypervisor`; the file may be missing, because that benchmark takes long.
    private func nestedSections() throws -> [String: String] {
        guard FileManager.default.fileExists(atPath: hypervisor) else {
            let names = ["machine", "targets", "overview", "shares", "phases", "witness"]
            return Dictionary(uniqueKeysWithValues: names.map { ("hypervisor-\($0)", "Not measured yet.") })
        }
        let results = try ResultFile.read(NestedResults.self, from: hypervisor)
        let report = NestedReport(results)
        try ResultFile.save(NestedChart(results).svg, to: hypervisorChart)
        return [
            "hypervisor-machine": report.machine,
            "hypervisor-targets": NestedTargets(results).table.markdown,
            "hypervisor-overview":
                "![How long guests stand still while their hypervisor is replaced](\(Self.name(of: hypervisorChart)))\n\n"
                + report.overview.markdown + Figures.failures(results.failures),
            "hypervisor-shares": report.shares.markdown,
            "hypervisor-phases": report.phases.markdown,
            "hypervisor-witness": report.witness.markdown,
        ]
    }

    /// Returns the sections for `containers`; the file may be missing, because that benchmark takes long.
    private func containerSections() throws -> [String: String] {
        guard FileManager.default.fileExists(atPath: containers) else {
            let names = ["machine", "targets", "overview", "steps", "phases", "witness"]
            return Dictionary(uniqueKeysWithValues: names.map { ("containers-\($0)", "Not measured yet.") })
        }
        let results = try ResultFile.read(ContainerResults.self, from: containers)
        let report = ContainerReportText(results)
        try ResultFile.save(ContainerChart(results).svg, to: containersChart)
        return [
            "containers-machine": report.machine,
            "containers-targets": ContainerTargets(results).table.markdown,
            "containers-overview":
                "![How long a TCP client hears nothing while its container is relocated](\(Self.name(of: containersChart)))"
                + "\n\n" + report.overview.markdown + Figures.failures(results.failures),
            "containers-steps": report.steps.markdown,
            "containers-phases": report.phases.markdown,
            "containers-witness": report.witness.markdown,
        ]
    }

    private func reportSoak() throws {
        let text = try String(contentsOfFile: soakDocument, encoding: .utf8)
        var sections = Dictionary(
            uniqueKeysWithValues: ["machine", "summary", "tenths", "counts"].map { ("soak-\($0)", "Not measured yet.") }
        )
        if FileManager.default.fileExists(atPath: soak) {
            let results = try ResultFile.read(SoakResults.self, from: soak)
            let report = SoakReport(results)
            try ResultFile.save(SoakChart(results).svg, to: soakChart)
            sections = [
                "soak-machine": report.machine,
                "soak-summary": "![How long the guest stood still each time](\(Self.name(of: soakChart)))\n\n"
                    + report.summary.markdown,
                "soak-tenths": report.tenths.markdown,
                "soak-counts": report.counts.markdown,
            ]
        }
        try ResultFile.save(try Self.fill(text, with: sections), to: soakDocument)
    }

    private static func name(of path: String) -> String { path.split(separator: "/").last.map(String.init) ?? path }

    private static func fill(_ text: String, with sections: [String: String]) throws -> String {
        var lines: [String] = []
        var open: String?
        for line in text.components(separatedBy: "\n") {
            if line.hasPrefix("<!-- bench:") {
                let name = line.dropFirst("<!-- bench:".count).prefix { $0 != " " }
                guard let section = sections[String(name)] else { throw BenchError("unknown section \(name)") }
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
