/// Tables with the results of `switch`.
struct SwitchReport {
    let results: SwitchResults

    init(_ results: SwitchResults) { self.results = results }

    /// The tables for a terminal.
    var text: String { [overview.text, shares.text].joined(separator: "\n\n") }

    /// Every series: the switch, the gap in the guest and the whole, in milliseconds, p50 / p95 / p99.
    var overview: TextTable {
        var table = TextTable(header: ["guest", "method", "n", "switch", "gap in the guest", "whole"], words: 2)
        for series in results.ordered {
            table.rows.append([
                series.shape.name, series.method.title, "\(series.switchMicroseconds.count)",
                Self.percentiles(series.switchMicroseconds), Self.percentiles(series.gapMicroseconds),
                Self.percentiles(series.wholeMicroseconds),
            ])
        }
        return table
    }

    /// The parts of the switch, in milliseconds: medians over all guests of a load.
    var shares: TextTable {
        var table = TextTable(
            header: [
                "load", "method", "n", "STOP to new completed", "STOP to old completed", "controller p50", "p99",
                "STOP to RESUME p50", "p95", "p99", "clock lost p50",
            ], words: 2)
        for load in GuestShape.Load.allCases {
            for method in Method.allCases {
                let all = results.series.filter { $0.shape.load == load && $0.method == method }
                func figure(_ values: KeyPath<SwitchResults.Series, [Int]>, _ percent: Double) -> String {
                    Figures.milliseconds(Distribution(all.flatMap { $0[keyPath: values] }).percentile(percent))
                }
                guard !all.isEmpty else { continue }
                table.rows.append([
                    load.rawValue, method.title, "\(all.reduce(0) { $0 + $1.switchMicroseconds.count })",
                    figure(\.newCompletedMicroseconds, 50), figure(\.oldCompletedMicroseconds, 50),
                    figure(\.controllerMicroseconds, 50), figure(\.controllerMicroseconds, 99),
                    figure(\.switchMicroseconds, 50), figure(\.switchMicroseconds, 95),
                    figure(\.switchMicroseconds, 99),
                    figure(\.clockMicroseconds, 50),
                ])
            }
        }
        return table
    }

    /// The phases of a whole refresh, as reported by hyperfresh: medians in milliseconds.
    var phases: TextTable {
        let names = ["preflight", "launch", "link", "handover", "retire", "settle"]
        var table = TextTable(header: ["guest", "n"] + names + ["whole, as its caller sees it"])
        for shape in results.shapes {
            guard let series = results.series(shape, .hyperfresh) else { continue }
            let medians = names.map { name in
                Figures.milliseconds(Distribution(series.phaseMicroseconds[name] ?? []).percentile(50))
            }
            table.rows.append(
                [shape.name, "\(series.wholeMicroseconds.count)"] + medians
                    + [Figures.milliseconds(series.median(\.wholeMicroseconds))])
        }
        return table
    }

    /// The canaries' findings.
    var witness: TextTable {
        var table = TextTable(
            header: ["guest", "handed over by", "times", "pages verified", "anomalies", "datagrams lost"], words: 2)
        for witness in results.witnesses {
            let methods = Method.allCases.filter { $0.memory.rawValue == witness.memory }
            let series = methods.compactMap { results.series(witness.shape, $0) }
            table.rows.append([
                witness.shape.name, series.map(\.method.title).joined(separator: ", "), "\(witness.handovers)",
                "\(witness.pagesVerified)", "\(witness.anomalies)", "\(series.reduce(0) { $0 + $1.lostDatagrams })",
            ])
        }
        return table
    }

    /// The machine and the run, for the document.
    var machine: String {
        let machine = results.machine
        return """
            - \(machine.hardware)
            - \(machine.distribution), Linux \(machine.kernel)
            - hyperfresh and the floor: QEMU \(machine.qemu); pre-copy: QEMU \(machine.precopyQEMU ?? "-")
            - guests emulated by TCG, one vCPU, machine type pc-q35-7.2
            - \(results.date), \(Figures.fixed(results.minutes, 1)) minutes: `scripts/bench \(results.arguments.joined(separator: " "))`
            """
    }

    private static func percentiles(_ values: [Int]) -> String {
        let distribution = Distribution(values)
        return [50.0, 95, 99].map { Figures.milliseconds(distribution.percentile($0)) }.joined(separator: " / ")
    }
}
