import JSON

/// What the canary guest says of itself at even intervals, and at once when something is wrong.
public struct CanaryReport: Sendable, Hashable {
    /// Milliseconds since the guest booted, by its monotonic clock.
    public let upMilliseconds: Int
    /// Counts the reports, from 1.
    public let sequence: Int
    /// Memory pages of 4 KiB under watch.
    public let pages: Int
    /// Pages verified since boot.
    public let pagesVerified: Int
    /// Disk records verified since boot, over all disks.
    public let recordsVerified: Int
    /// Disks under watch.
    public let disks: Int
    /// Disk records verified since boot by disk: `vda`, `vdb`.
    public let recordsByDisk: [String: Int]
    /// Addresses by network interface: `eth0`.
    public let addresses: [String: String]
    /// Bytes echoed over TCP since boot.
    public let tcpBytes: Int
    /// The longest time in which the guest did not run, since the last report, in microseconds.
    public let gapMicroseconds: Int
    /// The time in which QEMU had the guest stopped, since boot, in microseconds, as the RTC tells; see canary.c.
    public let stoppedMicroseconds: Int
    /// Things that must never happen.
    ///
    /// A wrong page, a lost record, a clock that went back. 0 in a sound guest.
    public let anomalies: Int
    /// The last of them in words; empty in a sound guest.
    public let anomaly: String

    /// Reads a line of the canary's serial port; `nil` for anything else, such as the kernel's own words.
    ///
    /// - Parameter line: A line without its end.
    public init?(line: some StringProtocol) {
        // A guest that is reset while it writes leaves the start of a report before the next one on the same line.
        guard let start = line.ranges(of: #"{"canary":"#).last?.lowerBound,
            let json = try? JSONValue(parsing: String(line[start...])),
            let sequence = json["seq"]?.int, let anomalies = json["anomalies"]?.int
        else { return nil }
        upMilliseconds = json["up_ms"]?.int ?? 0
        self.sequence = sequence
        pages = json["pages"]?.int ?? 0
        pagesVerified = json["pages_verified"]?.int ?? 0
        let disks = json["disks"]?.array ?? []
        let records = disks.compactMap { disk in disk["name"]?.string.map { ($0, disk["verified"]?.int ?? 0) } }
        recordsByDisk = Dictionary(records) { $1 }
        recordsVerified = recordsByDisk.values.reduce(0, +)
        self.disks = disks.count
        let nets = (json["nets"]?.array ?? []).compactMap { net in
            net["name"]?.string.map { ($0, net["ip"]?.string ?? "") }
        }
        addresses = Dictionary(nets) { $1 }
        tcpBytes = json["tcp_bytes"]?.int ?? 0
        gapMicroseconds = json["gap_us"]?.int ?? 0
        stoppedMicroseconds = json["stopped_total_us"]?.int ?? 0
        self.anomalies = anomalies
        anomaly = json["anomaly"]?.string ?? ""
    }
}
