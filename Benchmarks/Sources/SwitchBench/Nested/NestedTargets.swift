/// The targets for refreshing a hypervisor, compared with the measurements.
struct NestedTargets: TargetCheck {
    let results: NestedResults

    init(_ results: NestedResults) { self.results = results }

    var all: [Target] { [soundness, ratio, growth, together, short] }

    private func median(_ shape: NestedShape, _ method: NestedMethod) -> Int? {
        results.series(shape, method)?.median(\.switchMicroseconds)
    }

    private var soundness: Target {
        let all = results.series.filter { $0.method != .precopy }.flatMap(\.fellSilent)
        return Target(
            target: "every guest runs on after a refresh",
            measured: "\(all.count { !$0 }) of \(all.count) moved guests",
            isMet: all.isEmpty ? nil : !all.contains(true))
    }

    /// Compares methods that stop guests at once, if there are several guests.
    private var ratio: Target {
        let ratios = results.shapes.compactMap { shape -> (NestedShape, Double)? in
            guard let ours = median(shape, shape.guests > 1 ? .atOnce : .oneByOne), ours > 0,
                let theirs = median(shape, .precopy)
            else { return nil }
            return (shape, Double(theirs) / Double(ours))
        }
        return Target(
            target: "at least 20 times shorter than pre-copy (p50 by p50, all guests at once)",
            measured: Self.words(ratios.map { "\($0.0.name): \(Figures.fixed($0.1, 1))" }),
            isMet: ratios.isEmpty ? nil : ratios.allSatisfy { $0.1 >= 20 })
    }

    /// Medians vary on a busy machine; copying memory would make them grow with its size.
    private var growth: Target {
        var medians: [(size: Int, name: String, median: Int)] = []
        for size in Set(results.shapes.map(\.memoryMiB)).sorted() {
            let series = results.series.filter { $0.shape.memoryMiB == size && $0.method == .oneByOne }
            guard let first = series.first,
                let median = Distribution(series.flatMap(\.switchMicroseconds)).percentile(50)
            else { continue }
            medians.append((size, first.shape.memoryName, median))
        }
        let target = "independent of memory (p50 one by one, largest guests by smallest, at most 1.3)"
        guard let small = medians.first, let large = medians.last, small.size < large.size, small.median > 0 else {
            return Target(target: target, measured: "-", isMet: nil)
        }
        let ratio = Double(large.median) / Double(small.median)
        let words = medians.map { "\($0.name): \(Figures.milliseconds($0.median)) ms" }
        return Target(
            target: target, measured: "\(words.joined(separator: ", ")): \(Figures.fixed(ratio, 2))",
            isMet: ratio <= 1.3)
    }

    private var together: Target {
        let found = results.shapes.filter { $0.guests == 4 }.compactMap { shape -> (NestedShape, Double)? in
            let one = NestedShape(memoryMiB: shape.memoryMiB, guests: 1)
            guard let alone = median(one, .oneByOne), alone > 0,
                let longest = results.series(shape, .atOnce)?.switchMicroseconds.max()
            else { return nil }
            return (shape, Double(longest) / Double(alone))
        }
        return Target(
            target: "four at once: each within 2.5 times one alone (longest by p50)",
            measured: Self.words(found.map { "\($0.0.memoryName): \(Figures.fixed($0.1, 2))" }),
            isMet: found.isEmpty ? nil : found.allSatisfy { $0.1 <= 2.5 })
    }

    private var short: Target {
        let all = Distribution(results.series.filter { $0.method == .oneByOne }.flatMap(\.switchMicroseconds))
        let (median, longest) = (all.percentile(50), all.maximum)
        let words = "p50 \(Figures.milliseconds(median)) ms, longest \(Figures.milliseconds(longest)) ms"
        return Target(
            target: "each guest stopped for less than 100 ms (one by one)",
            measured: "\(words) of \(all.count)", isMet: all.count == 0 ? nil : all.maximum < 100_000)
    }

    private static func words(_ words: [String]) -> String { words.isEmpty ? "-" : words.joined(separator: ", ") }
}
