/// Tables with the results of `hypervisor`.
struct NestedReport {
    let results: NestedResults

    init(_ results: NestedResults) { self.results = results }

    /// The tables for a terminal.
    var text: String {
        [
            machine, overview.text, shares.text, phases.text,
            (NestedTargets(results).lines + results.failures.map { "FAILED: \($0)" }).joined(separator: "\n"),
        ]
        .joined(separator: "\n\n")
    }

    /// Every series, in milliseconds: median and maximum.
    var overview: TextTable {
        var table = TextTable(
            header: [
                "guests", "method", "n", "switch", "clock lost", "gap in the guest", "whole", "L1 boot",
                "moved a guest", "converged", "silent after",
            ], words: 2)
        for series in results.ordered {
            table.rows.append([
                series.shape.name, series.method.title, "\(series.switchMicroseconds.count)",
                Figures.spread(series.switchMicroseconds),
                Figures.spread(series.clockMicroseconds), Figures.spread(series.gapMicroseconds),
                Figures.spread(series.wholeMicroseconds), Figures.spread(series.bootMicroseconds),
                Self.bytes(series.transferredBytes), Self.convergence(series),
                "\(series.fellSilent.count(where: \.self))",
            ])
        }
        return table
    }

    /// The parts of the switch: medians in milliseconds.
    var shares: TextTable {
        var table = TextTable(
            header: [
                "guests", "method", "n", "STOP to new completed", "STOP to old completed", "controller",
                "STOP to RESUME",
            ], words: 2)
        for series in results.ordered {
            table.rows.append(
                [series.shape.name, series.method.title, "\(series.switchMicroseconds.count)"]
                    + [
                        series.median(\.newCompletedMicroseconds), series.median(\.oldCompletedMicroseconds),
                        series.median(\.controllerMicroseconds), series.median(\.switchMicroseconds),
                    ].map(Figures.milliseconds))
        }
        return table
    }

    /// The phases of a whole refresh: medians in milliseconds.
    var phases: TextTable {
        let names = ["admission", "boot", "attach", "handover", "retire"]
        var table = TextTable(header: ["guests", "method", "n"] + names + ["whole"], words: 2)
        for series in results.ordered where series.method != .precopy {
            table.rows.append(
                [series.shape.name, series.method.title, "\(series.wholeMicroseconds.count)"]
                    + names.map { name in
                        Figures.milliseconds(Distribution(series.phaseMicroseconds[name] ?? []).percentile(50))
                    } + [Figures.milliseconds(series.median(\.wholeMicroseconds))])
        }
        return table
    }

    /// The canaries' findings.
    var witness: TextTable {
        var table = TextTable(header: ["guests", "moved by", "canaries", "pages verified", "anomalies"], words: 2)
        for shape in results.shapes {
            for isCopied in [false, true] {
                let all = results.witnesses.filter { $0.shape == shape && $0.isCopied == isCopied }
                guard !all.isEmpty else { continue }
                table.rows.append([
                    shape.name, isCopied ? "pre-copy migration" : "refresh", "\(all.count)",
                    "\(all.reduce(0) { $0 + $1.pagesVerified })", "\(all.reduce(0) { $0 + $1.anomalies })",
                ])
            }
        }
        return table
    }

    /// The machine and the run.
    var machine: String {
        let machine = results.machine
        return """
            - \(machine.hardware), load average \(Figures.fixed(results.loadBefore, 1)) before the run
            - \(machine.distribution), Linux \(machine.kernel); hypervisors run by QEMU \(machine.qemu) on \
            \(results.inside.accelerator.uppercased()), one vCPU each
            - in the hypervisors: Linux \(results.inside.kernel), QEMU \(results.inside.qemu), KVM; guests with one vCPU
            - \(results.date), \(Figures.fixed(results.minutes, 1)) minutes: \
            `scripts/bench \(results.arguments.joined(separator: " "))`
            """
    }

    private static func bytes(_ values: [Int]) -> String {
        guard !values.isEmpty else { return "-" }
        return "\(Figures.fixed(Double(values.sorted()[values.count / 2]) / 1e6, 1)) MB"
    }

    private static func convergence(_ series: NestedResults.Series) -> String {
        guard series.method == .precopy else { return "-" }
        let forced = zip(series.wasForced, series.switchMicroseconds).filter(\.0).map(\.1)
        guard let longest = forced.max() else { return "yes" }
        return "\(forced.count) of \(series.wasForced.count) did not within "
            + "\(CopyJourney.patience.components.seconds) s; then stopped for up to \(Figures.milliseconds(longest)) ms"
    }
}
