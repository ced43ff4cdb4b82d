/// The targets for relocating a container, compared with the measurements.
struct ContainerTargets: TargetCheck {
    let results: ContainerResults

    init(_ results: ContainerResults) { self.results = results }

    var all: [Target] { [soundness, ratio, growth, short] }

    private func median(_ shape: ContainerShape, _ method: ContainerMethod) -> Int? {
        results.series(shape, method)?.median(\.downtimeMicroseconds)
    }

    private var soundness: Target {
        let all = results.witnesses.filter { $0.method == .relocate }
        let sound = all.count { $0.anomalies == 0 && $0.keptConnection }
        return Target(
            target: "every container runs on, nothing lost, its connection kept",
            measured: "\(sound) of \(all.count) relocated canaries",
            isMet: all.isEmpty ? nil : sound == all.count)
    }

    private var ratio: Target {
        let ratios = results.shapes.filter { $0.memoryMiB >= 256 }.compactMap { shape -> (ContainerShape, Double)? in
            guard let ours = median(shape, .relocate), ours > 0, let theirs = median(shape, .plain) else { return nil }
            return (shape, Double(theirs) / Double(ours))
        }
        let words = ratios.map { "\($0.0.memoryName) \($0.0.loadName): \(Figures.fixed($0.1, 1))" }
        return Target(
            target: "downtime at least 3 times shorter than the plain way at 256 MB and above (p50 by p50)",
            measured: words.isEmpty ? "-" : words.joined(separator: ", "),
            isMet: ratios.isEmpty ? nil : ratios.allSatisfy { $0.1 >= 3 })
    }

    private var growth: Target {
        let target = "flat in memory size (512 MB idle within 1.5 times of 16 MB)"
        let small = ContainerShape(memoryMiB: 16, dirtyMB: 0, processes: 1)
        let large = ContainerShape(memoryMiB: 512, dirtyMB: 0, processes: 1)
        guard let least = median(small, .relocate), let most = median(large, .relocate), least > 0 else {
            return Target(target: target, measured: "-", isMet: nil)
        }
        let ratio = Double(most) / Double(least)
        return Target(
            target: target,
            measured: "\(Figures.milliseconds(least)) ms, \(Figures.milliseconds(most)) ms: \(Figures.fixed(ratio, 2))",
            isMet: ratio <= 1.5)
    }

    /// The target is for KVM; results with an emulated CPU are marked as such.
    private var short: Target {
        let all = Distribution(results.series.filter { $0.method == .relocate }.flatMap(\.downtimeMicroseconds))
        let words =
            "p50 \(Figures.milliseconds(all.percentile(50))) ms, longest \(Figures.milliseconds(all.maximum)) ms"
        let isKVM = results.inside.accelerator == "kvm"
        return Target(
            target: "downtime below 0.5 s under KVM",
            measured: "\(words) of \(all.count) on \(results.inside.accelerator.uppercased())",
            isMet: isKVM && all.count > 0 ? (all.percentile(50) ?? .max) < 500_000 : nil)
    }
}
