import ArgumentParser
import CanaryTesting
import Foundation

/// The command `switch-bench soak`.
struct SoakCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract: "Refresh one guest's QEMU again and again, and check that nothing leaks and nothing grows.",
        discussion: """
            Exits with status 1 if the guest finds an anomaly, its TCP session breaks, a refresh fails, a count grows, or \
            memory grows.
            """
    )

    @Option(help: "The number of refreshes.")
    var refreshes = 1000

    @Option(
        help: ArgumentHelp(
            "Wait for the guest's next report, one a second, after every COUNT refreshes.", valueName: "count"))
    var reportEvery = 1

    @Option(
        help: ArgumentHelp(
            "A QEMU; repeat to alternate between several. Default: the installed one and 10.0 from scripts/fetch-qemu.",
            valueName: "path"))
    var qemu: [String] = []

    @Option(help: ArgumentHelp("The release build of hyperfresh.", valueName: "path"))
    var hyperfresh = ".build/release/hyperfresh"

    @Option(help: ArgumentHelp("The output file for all figures, as JSON.", valueName: "file"))
    var output = "\(ToolOptions.cache)/soak.json"

    @Option(help: ArgumentHelp("The output file for the chart.", valueName: "file"))
    var chart = "\(ToolOptions.cache)/soak.svg"

    func validate() throws {
        if refreshes < SoakVerdict.leastRefreshes {
            throw ValidationError("--refreshes must be \(SoakVerdict.leastRefreshes) or more.")
        }
        if reportEvery < 1 { throw ValidationError("--report-every must be 1 or more.") }
    }

    func run() async throws {
        try await Scratch.use { try await run(in: $0) }
    }

    private func run(in scratch: Scratch) async throws {
        let qemus = try chosenQEMUs()
        let artifacts = try CanaryArtifacts(cache: absolute(ToolOptions.cache))
        let begin = Clock.monotonic()
        var results = SoakResults(
            date: ISO8601DateFormatter().string(from: Date()),
            machine: try MachineFacts(qemu: qemus[0], scratch: scratch),
            arguments: CommandLine.argumentsWithoutOutput, refreshes: refreshes)
        let run = SoakRun(
            qemus: qemus, hyperfresh: absolute(hyperfresh), refreshes: refreshes, reportEvery: reportEvery,
            scratch: scratch)
        Progress.show("the guest boots")
        let guest = try await SoakGuest.boot(qemu: qemus[0], artifacts: artifacts, in: scratch)
        do {
            try await run.run(guest, into: &results)
        } catch {
            // A run that is interrupted by a signal is no failure.
            if Interruption.isUnderWay { throw error }
            results.failure = "\(error)"
        }
        results.anomalies = guest.canary.latest?.anomalies ?? 0
        results.minutes = Double(Clock.monotonic() - begin) / 60e9
        try conclude(results)
    }

    private func conclude(_ results: SoakResults) throws {
        Progress.clear()
        try ResultFile.write(results, to: output)
        if results.count > 0 { try ResultFile.save(SoakChart(results).svg, to: chart) }
        print(SoakReport(results).text)
        let complaints = SoakReport(results).complaints
        for complaint in complaints { Progress.say("FAILED: \(complaint)") }
        if !complaints.isEmpty { throw ExitCode.failure }
    }

    private func chosenQEMUs() throws -> [String] {
        let fetched = "\(ToolOptions.cache)/qemu-10.0/qemu-system-x86_64"
        let hasFetched = FileManager.default.fileExists(atPath: fetched)
        let standard = ["/usr/bin/qemu-system-x86_64"] + (hasFetched ? [fetched] : [])
        let chosen = (qemu.isEmpty ? standard : qemu).map(absolute)
        for path in chosen + [absolute(hyperfresh)] where !FileManager.default.fileExists(atPath: path) {
            throw BenchError("\(path) does not exist: run scripts/soak, which builds what is needed")
        }
        return chosen
    }

    private func absolute(_ path: String) -> String { URL(fileURLWithPath: path).path }
}
