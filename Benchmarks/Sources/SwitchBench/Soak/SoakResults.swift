/// All results of one soak.
struct SoakResults: Codable, Sendable {
    /// One figure after each refresh, in chronological order.
    struct Series: Codable, Sendable {
        let figure: SoakFigure
        var values: [Int] = []
    }

    var schema = 1
    let date: String
    let machine: MachineFacts
    /// The command's arguments.
    let arguments: [String]
    /// The number of refreshes requested.
    let refreshes: Int
    /// The QEMU versions, which alternate.
    var versions: [String] = []
    var series: [Series] = SoakFigure.allCases.map { Series(figure: $0) }
    /// The longest wait for an answer over TCP.
    var longestAnswerMicroseconds = 0
    /// The number of anomalies in the canary's last report.
    var anomalies = 0
    /// The reason why the run ended early; nil if it did not.
    var failure: String?
    var minutes = 0.0

    /// Returns the values of a figure.
    subscript(figure: SoakFigure) -> [Int] { series.first { $0.figure == figure }?.values ?? [] }

    /// The number of refreshes completed.
    var count: Int { self[.switchMicroseconds].count }

    mutating func add(_ sample: [SoakFigure: Int]) {
        for index in series.indices { series[index].values.append(sample[series[index].figure] ?? 0) }
    }

    /// Returns the index of a version; adds it if it is new.
    mutating func place(of version: String) -> Int {
        if let place = versions.firstIndex(of: version) { return place }
        versions.append(version)
        return versions.count - 1
    }
}

extension ResultFile {
    /// Writes results of `soak`, one figure a line.
    static func write(_ results: SoakResults, to path: String) throws {
        var head = results
        head.series = []
        try save(try fill(encode(head), series: results.series, witnesses: [Int]()), to: path)
    }
}
