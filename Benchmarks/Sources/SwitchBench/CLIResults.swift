/// What the command line costs.
struct CLIResults: Codable, Sendable {
    /// One way to call it.
    struct Call: Codable, Sendable {
        let name: String
        /// From its start to its end, each time.
        let wallMicroseconds: [Int]
        /// The most memory that was resident, in KiB, each time it was looked at.
        let peakKibibytes: [Int]
    }

    var schema = 1
    let date: String
    let machine: MachineFacts
    /// How many QEMUs ran meanwhile.
    let qemus: Int
    let calls: [Call]

    func call(_ name: String) -> Call? { calls.first { $0.name == name } }

    /// Durations in milliseconds, memory in MiB.
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
