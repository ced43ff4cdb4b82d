/// Results of `cli`.
struct CLIResults: Codable, Sendable {
    /// One kind of call.
    struct Call: Codable, Sendable {
        let name: String
        /// The time from its start to its end, for each measurement.
        let wallMicroseconds: [Int]
        /// The peak of its resident memory in KiB, for each measurement.
        let peakKibibytes: [Int]
    }

    var schema = 1
    let date: String
    let machine: MachineFacts
    /// The number of running QEMUs.
    let qemus: Int
    let calls: [Call]

    func call(_ name: String) -> Call? { calls.first { $0.name == name } }

    /// A table with durations in milliseconds and memory in MiB.
    var table: TextTable {
        var table = TextTable(header: ["call", "n", "p50 ms", "p95 ms", "p99 ms", "resident MiB"])
        for call in calls {
            let distribution = Distribution(call.wallMicroseconds)
            table.rows.append(
                ["\(call.name)", "\(distribution.count)"]
                    + [50.0, 95, 99].map { Figures.milliseconds(distribution.percentile($0)) }
                    + [call.peakKibibytes.max().map { Figures.fixed(Double($0) / 1024, 1) } ?? "-"])
        }
        return table
    }
}
