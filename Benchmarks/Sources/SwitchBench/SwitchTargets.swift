/// The targets for a switch, compared with the measurements.
struct SwitchTargets: TargetCheck {
    let results: SwitchResults
    let cli: CLIResults?

    var all: [Target] {
        (switchTargets + cliTargets).map { Target(target: $0.target, measured: $0.measured, isMet: $0.met) }
    }

    private typealias Line = (target: String, measured: String, met: Bool)

    private var switchTargets: [Line] {
        let idle = results.series.filter { $0.method == .hyperfresh && $0.shape.load == .idle }
        let switches = Distribution(idle.flatMap(\.switchMicroseconds))
        let controller = Distribution(idle.flatMap(\.controllerMicroseconds))
        guard let median = switches.percentile(50), let high = switches.percentile(99),
            let share = controller.percentile(50)
        else { return [] }
        return [
            (
                "switch of an idle guest, p50 at most 5 ms",
                "\(Figures.milliseconds(median)) ms over \(switches.count) refreshes", median <= 5000
            ),
            (
                "switch of an idle guest, p99 at most 15 ms",
                "\(Figures.milliseconds(high)) ms (longest: \(Figures.milliseconds(switches.maximum)) ms)",
                high <= 15_000
            ),
            ("the controller's own share, p50 at most 0.3 ms", "\(Figures.milliseconds(share)) ms", share <= 300),
            growth(idle), ratio,
        ]
    }

    /// Checks whether medians grow with memory.
    ///
    /// They vary by some tenths of a millisecond from run to run; copying memory would make them thirty times longer
    /// from the smallest guest to the largest.
    private func growth(_ idle: [SwitchResults.Series]) -> Line {
        let medians = idle.compactMap { series in
            Distribution(series.switchMicroseconds).percentile(50).map { (series.shape, $0) }
        }.sorted { $0.0.memoryMiB < $1.0.memoryMiB }
        let words = medians.map { "\($0.0.memoryName): \(Figures.milliseconds($0.1)) ms" }.joined(separator: ", ")
        let spread = (medians.map(\.1).max() ?? .max) - (medians.map(\.1).min() ?? 0)
        return ("no growth with the size of memory (p50 of idle guests within 1 ms)", words, spread <= 1000)
    }

    private var ratio: Line {
        let ratios = results.shapes.compactMap { shape -> (GuestShape, Double)? in
            guard let ours = results.series(shape, .hyperfresh), let theirs = results.series(shape, .precopy),
                let median = Distribution(ours.switchMicroseconds).percentile(50), median > 0,
                let other = Distribution(theirs.switchMicroseconds).percentile(50)
            else { return nil }
            return (shape, Double(other) / Double(median))
        }
        let words = ratios.map { "\($0.0.name): \(Figures.fixed($0.1, 1))" } + pooledRatios
        return (
            "at least 20 times shorter than pre-copy (p50 by p50)", words.joined(separator: ", "),
            ratios.allSatisfy { $0.1 >= 20 }
        )
    }

    private var pooledRatios: [String] {
        GuestShape.Load.allCases.compactMap { load in
            func median(_ method: Method) -> Int? {
                let all = results.series.filter { $0.shape.load == load && $0.method == method }
                return Distribution(all.flatMap(\.switchMicroseconds)).percentile(50)
            }
            guard let ours = median(.hyperfresh), let theirs = median(.precopy), ours > 0 else { return nil }
            return "all \(load.rawValue): \(Figures.fixed(Double(theirs) / Double(ours), 1))"
        }
    }

    private var cliTargets: [Line] {
        guard let cli else { return [] }
        var lines: [Line] = []
        if let call = cli.call("--version"), let median = Distribution(call.wallMicroseconds).percentile(50) {
            let uncached = Distribution(cli.call(CLICommand.uncached)?.wallMicroseconds ?? []).percentile(50)
            let words = "\(Figures.milliseconds(median)) ms (p50; read from disk \(Figures.milliseconds(uncached)) ms)"
            lines.append(("start of the command line below 30 ms, from the page cache", words, median < 30_000))
        }
        if let peak = cli.calls.flatMap(\.peakKibibytes).max() {
            let megabytes = Double(peak) * 1024 / 1e6
            lines.append(
                ("its resident memory below 40 MB", "\(Figures.fixed(megabytes, 1)) MB at most", megabytes < 40))
        }
        if let call = cli.call("list, \(cli.qemus) QEMUs"),
            let high = Distribution(call.wallMicroseconds).percentile(99)
        {
            lines.append(
                (
                    "`list` over \(cli.qemus) QEMUs below 0.3 s", "\(Figures.fixed(Double(high) / 1e6, 3)) s (p99)",
                    high < 300_000
                ))
        }
        return lines
    }
}
