import JSON

/// A report of the canary guest, sent periodically, and at once if something is wrong.
public struct CanaryReport: Sendable, Hashable {
    /// Milliseconds since the guest booted, on its monotonic clock.
    public let upMilliseconds: Int
    /// The report's number, from 1.
    public let sequence: Int
    /// The number of 4 KiB memory pages that it checks.
    public let pages: Int
    /// The number of page checks since boot.
    public let pagesVerified: Int
    /// The number of disk record checks since boot, over all disks.
    public let recordsVerified: Int
    /// The number of disks that it checks.
    public let disks: Int
    /// The number of disk record checks since boot for each disk: `vda`, `vdb`.
    public let recordsByDisk: [String: Int]
    /// IP addresses by network interface: `eth0`.
    public let addresses: [String: String]
    /// The number of bytes echoed over TCP since boot.
    public let tcpBytes: Int
    /// The longest interval without progress of the guest since the last report, in microseconds.
    public let gapMicroseconds: Int
    /// The time since boot during which QEMU had the guest stopped, in microseconds, measured with the RTC; see
    /// canary.c.
    public let stoppedMicroseconds: Int
    /// The number of anomalies: 0 in an undamaged guest.
    ///
    /// An anomaly is a wrong page, a lost record, a clock that went backwards.
    public let anomalies: Int
    /// The description of the last anomaly; empty if there is none.
    public let anomaly: String

    /// Parses a line of the canary's serial log; `nil` for any other line, such as kernel messages.
    ///
    /// - Parameter line: A line without its line break.
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
