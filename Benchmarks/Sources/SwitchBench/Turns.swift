/// What one method did with things of one shape.
protocol TurnSeries: Codable, Sendable {
    associatedtype Shape: Equatable
    associatedtype Method: Equatable & CaseIterable

    var shape: Shape { get }
    var method: Method { get }

    /// One that has nothing yet.
    static func empty(_ shape: Shape, _ method: Method) -> Self
}

extension TurnSeries {
    /// The median of some figures; nil of nothing.
    func median(_ values: KeyPath<Self, [Int]>) -> Int? { Distribution(self[keyPath: values]).percentile(50) }
}

/// What methods that took turns have measured on things of several shapes.
protocol TurnResults: Codable, Sendable {
    associatedtype Series: TurnSeries
    associatedtype Witness: Codable & Sendable

    var series: [Series] { get set }
    /// What the canaries found.
    var witnesses: [Witness] { get set }
    var minutes: Double { get set }
}

extension TurnResults {
    func series(_ shape: Series.Shape, _ method: Series.Method) -> Series? {
        series.first { $0.shape == shape && $0.method == method }
    }

    /// The shapes in the order of the run.
    var shapes: [Series.Shape] {
        var shapes: [Series.Shape] = []
        for entry in series where !shapes.contains(entry.shape) { shapes.append(entry.shape) }
        return shapes
    }

    /// Every series, by shape and then by method.
    var ordered: [Series] {
        shapes.flatMap { shape in Series.Method.allCases.compactMap { series(shape, $0) } }
    }

    /// Adds to a series, which is made if it is the first time.
    mutating func change(_ shape: Series.Shape, _ method: Series.Method, _ body: (inout Series) -> Void) {
        if let index = series.firstIndex(where: { $0.shape == shape && $0.method == method }) {
            body(&series[index])
        } else {
            var new = Series.empty(shape, method)
            body(&new)
            series.append(new)
        }
    }

    /// Measures, and keeps the time; what has been measured is saved in between, as a run takes long.
    ///
    /// - Parameters:
    ///   - output: The file; nil saves nothing.
    ///   - body: Measures, and calls what it is given whenever something is worth saving.
    /// - Throws: What `body` throws, and when the file cannot be written.
    mutating func measure(
        savingTo output: String?, _ body: (inout Self, _ save: (Self) throws -> Void) async throws -> Void
    ) async throws {
        let begin = Clock.monotonic()
        func minutes() -> Double { Double(Clock.monotonic() - begin) / 60e9 }
        try await body(&self) { results in
            var results = results
            results.minutes = minutes()
            if let output { try ResultFile.write(results, to: output) }
        }
        self.minutes = minutes()
        Progress.clear()
    }
}

/// Lets each method have its turn in each round.
///
/// Each round begins with another method: none is always the one after the slow one.
///
/// - Parameters:
///   - methods: Who takes turns.
///   - rounds: How often each has its turn.
///   - body: Is given the round, from 1, and the method.
/// - Throws: What `body` throws.
func takeTurns<Method>(_ methods: [Method], rounds: Int, _ body: (Int, Method) async throws -> Void) async throws {
    for round in 0..<rounds {
        for position in methods.indices { try await body(round + 1, methods[(position + round) % methods.count]) }
    }
}
