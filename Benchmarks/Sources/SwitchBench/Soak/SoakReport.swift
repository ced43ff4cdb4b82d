/// Tables with the results of a soak.
struct SoakReport {
    let results: SoakResults
    private let verdict: SoakVerdict

    init(_ results: SoakResults) {
        self.results = results
        verdict = SoakVerdict(results)
    }

    /// The tables for a terminal.
    var text: String { [summary.text, tenths.text, counts.text].joined(separator: "\n\n") }

    /// The failures; empty after a successful run.
    var complaints: [String] { (results.failure.map { [$0] } ?? []) + verdict.complaints }

    /// The targets and results.
    var summary: TextTable {
        let all = Distribution(results[.switchMicroseconds])
        let kept = results.failure == nil ? "held throughout" : "until the run ended"
        var table = TextTable(header: ["what", "in this run"], words: 2)
        table.rows = [
            [
                "refreshes",
                "\(results.count) of \(results.refreshes), QEMU \(results.versions.joined(separator: " and "))",
            ],
            ["anomalies that the guest found", "\(results.anomalies)"],
            ["pages of memory verified by the guest", "\(results[.pagesVerified].last ?? 0)"],
            ["records on disk verified by the guest", "\(results[.recordsVerified].last ?? 0)"],
            [
                "TCP session through the tap",
                "\(kept), \(results[.answers].last ?? 0) answers, the longest after "
                    + "\(Figures.milliseconds(results.longestAnswerMicroseconds)) ms",
            ],
            [
                "the guest stood still, p50 / p95 / p99 / longest",
                "\(Self.percentiles(results[.switchMicroseconds])) / \(Figures.milliseconds(all.maximum)) ms",
            ],
            ["counts that are not flat, memory that has grown", "\(verdict.complaints.count)"],
        ]
        if let failure = results.failure {
            let words = failure.split(whereSeparator: \.isNewline).first.map(String.init)
            table.rows.append(["**ended early**", words ?? ""])
        }
        return table
    }

    /// The run in ten parts, with durations in milliseconds.
    var tenths: TextTable {
        var table = TextTable(header: [
            "refreshes", "switch p50", "p95", "p99", "longest", "controller p50", "whole p50",
        ])
        for window in Self.tenths(results.count) {
            let switches = Distribution(results[.switchMicroseconds][window])
            func median(_ figure: SoakFigure) -> String {
                Figures.milliseconds(Distribution(results[figure][window]).percentile(50))
            }
            table.rows.append(
                ["\(window.lowerBound + 1) to \(window.upperBound)"]
                    + [50.0, 95, 99].map { Figures.milliseconds(switches.percentile($0)) }
                    + [
                        Figures.milliseconds(switches.maximum), median(.controllerMicroseconds),
                        median(.wholeMicroseconds),
                    ])
        }
        return table
    }

    /// The counts after each refresh.
    var counts: TextTable {
        var table = TextTable(header: ["counted", "second tenth", "last tenth", "largest", "allowed", "met"])
        for line in verdict.lines {
            let allowed = line.allowed.map { line.isBound ? "largest \($0)" : "\($0)" } ?? "-"
            table.rows.append([
                line.title, "\(line.early)", "\(line.late)", "\(line.largest)", allowed,
                line.allowed == nil ? "-" : line.holds ? "yes" : "**no**",
            ])
        }
        return table
    }

    /// The machine and the run.
    var machine: String {
        let machine = results.machine
        return """
            - \(machine.hardware)
            - \(machine.distribution), Linux \(machine.kernel); QEMU \(results.versions.joined(separator: " and ")), TCG
            - \(results.date), \(Figures.fixed(results.minutes, 1)) minutes: \
            `scripts/\(results.arguments.joined(separator: " "))`
            """
    }

    /// Divides the refreshes, numbered from 0, into ten parts; the last one gets the remainder.
    static func tenths(_ count: Int) -> [Range<Int>] {
        let tenth = count / 10
        guard tenth > 0 else { return count > 0 ? [0..<count] : [] }
        return (0..<10).map { part in part * tenth..<(part == 9 ? count : (part + 1) * tenth) }
    }

    private static func percentiles(_ values: [Int]) -> String {
        let distribution = Distribution(values)
        return [50.0, 95, 99].map { Figures.milliseconds(distribution.percentile($0)) }.joined(separator: " / ")
    }
}
