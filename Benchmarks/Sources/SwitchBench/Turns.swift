/// The measurements of one method on one shape.
protocol TurnSeries: Codable, Sendable {
    associatedtype Shape: Equatable
    associatedtype Method: Equatable & CaseIterable

    var shape: Shape { get }
    var method: Method { get }

    /// Returns an empty series.
    static func empty(_ shape: Shape, _ method: Method) -> Self
}

extension TurnSeries {
    /// Returns the median of a figure; nil if there are no values.
    func median(_ values: KeyPath<Self, [Int]>) -> Int? { Distribution(self[keyPath: values]).percentile(50) }
}

/// The measurements of several methods that took turns on several shapes.
protocol TurnResults: Codable, Sendable {
    associatedtype Series: TurnSeries
    associatedtype Witness: Codable & Sendable

    var series: [Series] { get set }
    /// The canaries' findings.
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

    /// All series, by shape and then by method.
    var ordered: [Series] {
        shapes.flatMap { shape in Series.Method.allCases.compactMap { series(shape, $0) } }
    }

    /// Changes a series; adds it if it does not exist.
    mutating func change(_ shape: Series.Shape, _ method: Series.Method, _ body: (inout Series) -> Void) {
        if let index = series.firstIndex(where: { $0.shape == shape && $0.method == method }) {
            body(&series[index])
        } else {
            var new = Series.empty(shape, method)
            body(&new)
            series.append(new)
        }
    }

    /// Measures, and records the duration; saves intermediate results, because a run takes long.
    ///
    /// - Parameters:
    ///   - output: The file; nil to save nothing.
    ///   - body: Measures, and calls its second argument whenever results should be saved.
    /// - Throws: Errors of `body`, and if the file cannot be written.
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

/// Runs each method once in each round.
///
/// Each round begins with another method, so that no method always follows the slow one.
///
/// - Parameters:
///   - methods: The methods.
///   - rounds: The number of rounds.
///   - body: Receives the round, from 1, and the method.
/// - Throws: Errors of `body`.
func takeTurns<Method>(_ methods: [Method], rounds: Int, _ body: (Int, Method) async throws -> Void) async throws {
    for round in 0..<rounds {
        for position in methods.indices { try await body(round + 1, methods[(position + round) % methods.count]) }
    }
}
