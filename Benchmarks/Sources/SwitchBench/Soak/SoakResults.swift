/// Everything that one soak has noted.
struct SoakResults: Codable, Sendable {
    /// One figure after each refresh, in the order of the run.
    struct Series: Codable, Sendable {
        let figure: SoakFigure
        var values: [Int] = []
    }

    var schema = 1
    let date: String
    let machine: MachineFacts
    /// How the command was called.
    let arguments: [String]
    /// How many refreshes there were to be.
    let refreshes: Int
    /// The QEMUs that took turns.
    var versions: [String] = []
    var series: [Series] = SoakFigure.allCases.map { Series(figure: $0) }
    /// The longest time that an answer over TCP took.
    var longestAnswerMicroseconds = 0
    /// What the canary has found wrong, as it said last.
    var anomalies = 0
    /// Why the run ended early; nil when it did not.
    var failure: String?
    var minutes = 0.0

    /// The values of a figure.
    subscript(figure: SoakFigure) -> [Int] { series.first { $0.figure == figure }?.values ?? [] }

    /// How many refreshes there have been.
    var count: Int { self[.switchMicroseconds].count }

    mutating func add(_ sample: [SoakFigure: Int]) {
        for index in series.indices { series[index].values.append(sample[series[index].figure] ?? 0) }
    }

    /// The place of a version among those that there were.
    mutating func place(of version: String) -> Int {
        if let place = versions.firstIndex(of: version) { return place }
        versions.append(version)
        return versions.count - 1
    }
}

extension ResultFile {
    /// Writes results of `soak`, a figure on a line.
    static func write(_ results: SoakResults, to path: String) throws {
        var head = results
        head.series = []
        try save(try fill(encode(head), series: results.series, witnesses: [Int]()), to: path)
    }
}
