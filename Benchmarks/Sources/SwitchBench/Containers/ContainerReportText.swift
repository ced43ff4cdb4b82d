/// Tables with the results of `containers`.
struct ContainerReportText {
    let results: ContainerResults

    init(_ results: ContainerResults) { self.results = results }

    /// The tables for a terminal.
    var text: String {
        [
            machine, overview.text, steps.text, phases.text,
            (ContainerTargets(results).lines + results.failures.map { "FAILED: \($0)" }).joined(separator: "\n"),
        ]
        .joined(separator: "\n\n")
    }

    /// Every series: median and maximum in milliseconds, bytes as medians.
    var overview: TextTable {
        var table = TextTable(
            header: [
                "container", "method", "n", "downtime (TCP client)", "switch", "whole", "copied before", "sent stopped",
            ], words: 2)
        for series in results.ordered {
            table.rows.append([
                series.shape.name, series.method.title, "\(series.downtimeMicroseconds.count)",
                Figures.spread(series.downtimeMicroseconds),
                Figures.spread(series.switchMicroseconds), Figures.spread(series.wholeMicroseconds),
                Self.bytes(series.median(\.copiedRunningBytes)), Self.bytes(series.median(\.sentBytes)),
            ])
        }
        return table
    }

    /// The time of each step while the container is stopped: medians in milliseconds.
    ///
    /// CRIU's own steps come first; the last column is the part of the switch outside of all steps in an OS VM.
    var steps: TextTable {
        var names: [String] = []
        for series in results.series { names += series.stepNames.filter { !names.contains($0) } }
        var table = TextTable(
            header: ["container", "method", "n"] + names + ["CRIU", "all steps", "switch", "rest"], words: 2)
        for series in results.ordered {
            let medians = names.map { name in Distribution(series.stepMilliseconds[name] ?? []).percentile(50) }
            let all = medians.compactMap(\.self).reduce(0, +)
            let criu = zip(names, medians).filter { Self.criuSteps.contains($0.0) }.compactMap(\.1).reduce(0, +)
            let whole = (series.median(\.switchMicroseconds) ?? 0) / 1000
            table.rows.append(
                [series.shape.name, series.method.title, "\(series.switchMicroseconds.count)"]
                    + medians.map { $0.map(String.init) ?? "-" } + ["\(criu)", "\(all)", "\(whole)", "\(whole - all)"])
        }
        return table
    }

    private static let criuSteps: Set<String> = ["dump", "restore"]

    /// The phases of a whole relocation: medians in milliseconds.
    var phases: TextTable {
        var names: [String] = []
        for series in results.series { names += series.phaseNames.filter { !names.contains($0) } }
        var table = TextTable(header: ["container", "n"] + names + ["whole"], words: 1)
        for series in results.ordered where series.method == .relocate {
            table.rows.append(
                [series.shape.name, "\(series.wholeMicroseconds.count)"]
                    + names.map { name in
                        Figures.milliseconds(Distribution(series.phaseMicroseconds[name] ?? []).percentile(50))
                    } + [Figures.milliseconds(series.median(\.wholeMicroseconds))])
        }
        return table
    }

    /// The canaries' findings.
    var witness: TextTable {
        var table = TextTable(
            header: ["container", "moved by", "pages verified", "anomalies", "connection kept"], words: 2)
        for witness in results.witnesses {
            table.rows.append([
                witness.shape.name, witness.method.title, "\(witness.pagesVerified)", "\(witness.anomalies)",
                witness.keptConnection ? "yes" : "**no**",
            ])
        }
        return table
    }

    /// The machine and the run.
    var machine: String {
        let machine = results.machine
        return """
            - \(machine.hardware), load average \(Figures.fixed(results.loadBefore, 1)) before the run
            - \(machine.distribution), Linux \(machine.kernel); OS VMs run by QEMU \(machine.qemu) on \
            \(results.inside.accelerator.uppercased()), one vCPU each
            - in the OS VMs: Linux \(results.inside.kernel), CRIU \(results.inside.criu)
            - \(results.date), \(Figures.fixed(results.minutes, 1)) minutes: \
            `scripts/bench \(results.arguments.joined(separator: " "))`
            """
    }

    private static func bytes(_ value: Int?) -> String {
        guard let value, value > 0 else { return "-" }
        return "\(Figures.fixed(Double(value) / 1e6, 1)) MB"
    }
}
