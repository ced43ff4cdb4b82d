import JSON
import QMP
import Synchronization
import StackFile
import VirtualMachines

/// One ordinary live migration of a guest between two hypervisors.
///
/// All memory is copied while the guest runs, then repeatedly the parts changed since. QEMU stops the guest once it
/// expects the rest to take no longer than the downtime limit. A guest that changes memory faster than it is copied
/// never gets there, so the limit is raised step by step, and finally lifted.
final class CopyJourney: Sendable {
    /// The result, and the times of the stop, in microseconds on this host's CLOCK_MONOTONIC.
    struct Outcome: Sendable {
        let guest: String
        var handover: NestedHandover
        let stop: Int64
        let resume: Int64
    }

    let guest: String
    let old: QMPClient
    let new: QMPClient
    let newHypervisor: Hypervisor
    let channel: StateChannel
    private let marks = Mutex(Marks())

    /// The arrival times of events, in microseconds on this host's CLOCK_MONOTONIC.
    private struct Marks {
        var stop: Int64?
        var resume: Int64?
        var oldCompleted: Int64?
        var newCompleted: Int64?
        var failed: String?
    }

    /// The downtime limits in milliseconds, and the times from which they apply; the first is QEMU's default.
    private static let limits: [(after: Duration, milliseconds: Int)] = [
        (.zero, 300), (.seconds(15), 1000), (.seconds(30), 3000), (.seconds(45), 10_000),
    ]
    /// The time after which the limit is lifted and the guest is stopped for as long as necessary.
    static let patience = Duration.seconds(60)
    /// QEMU's largest limit.
    private static let noLimit = 2_000_000

    init(guest: String, old: QMPClient, new: QMPClient, newHypervisor: Hypervisor, channel: StateChannel) {
        self.guest = guest
        self.old = old
        self.new = new
        self.newHypervisor = newHypervisor
        self.channel = channel
    }

    func prepare() async throws {
        for client in [old, new] {
            try await client.execute(
                MigrateSetCapabilities(["events": true, "return-path": true]), deadline: .seconds(30))
            try await client.execute(MigrateSetParameters(maximumBandwidth: 1 << 40), deadline: .seconds(30))
        }
        try await limit(Self.limits[0].milliseconds)
        try await new.execute(MigrateIncoming(uri: channel.incoming))
        try await channel.join()
    }

    func run() async throws -> Outcome {
        let taps = [
            old.tap(named: ["STOP", "MIGRATION"]) { [weak self] in self?.note($0, isOld: true) },
            new.tap(named: ["RESUME", "MIGRATION"]) { [weak self] in self?.note($0, isOld: false) },
        ]
        defer { for tap in taps { tap.cancel() } }
        try await old.execute(Migrate(uri: channel.outgoing), deadline: .seconds(30))
        let wasForced = try await waitForTheEnd()
        let transferred = try await old.execute(QueryMigrate(), deadline: .seconds(60)).transferredRAM
        let marks = marks.withLock { $0 }
        guard let stop = marks.stop, let resume = marks.resume, let oldCompleted = marks.oldCompleted,
            let newCompleted = marks.newCompleted
        else { throw BenchError("guest \(guest) was migrated, but some events are missing") }
        return Outcome(
            guest: guest,
            handover: NestedHandover(
                switchMicroseconds: Int(resume - stop), newCompletedMicroseconds: Int(newCompleted - stop),
                oldCompletedMicroseconds: Int(oldCompleted - stop), transferredBytes: transferred.map(Int.init),
                wasForced: wasForced),
            stop: stop, resume: resume)
    }

    /// - Returns: Whether the limit had to be lifted.
    private func waitForTheEnd() async throws -> Bool {
        let begin = ContinuousClock.now
        var step = 0
        var wasForced = false
        while true {
            let seen = marks.withLock { $0 }
            if let failed = seen.failed { throw BenchError("pre-copy of guest \(guest) \(failed)") }
            if seen.resume != nil, seen.oldCompleted != nil, seen.newCompleted != nil { return wasForced }
            let passed = ContinuousClock.now - begin
            guard passed < Self.patience + .seconds(600) else { throw BenchError("pre-copy of \(guest) does not end") }
            if seen.stop == nil {
                if passed > Self.patience, !wasForced {
                    wasForced = true
                    try await limit(Self.noLimit)
                } else if !wasForced, step + 1 < Self.limits.count, passed > Self.limits[step + 1].after {
                    step += 1
                    try await limit(Self.limits[step].milliseconds)
                }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func limit(_ milliseconds: Int) async throws {
        try await old.execute(MigrateSetParameters(downtimeLimit: milliseconds), deadline: .seconds(60))
    }

    private func note(_ message: Result<QMPEvent, QMPError>, isOld: Bool) {
        let now = Clock.monotonic() / 1000
        marks.withLock { marks in
            switch message {
            case .failure(let error): marks.failed = "lost its monitor: \(error)"
            case .success(let event):
                switch (event.name, event.data["status"]?.string) {
                case ("STOP", _): marks.stop = marks.stop ?? now
                case ("RESUME", _): marks.resume = now
                case ("MIGRATION", "completed"):
                    if isOld { marks.oldCompleted = now } else { marks.newCompleted = now }
                case ("MIGRATION", "failed"): marks.failed = "failed on the \(isOld ? "old" : "new") side"
                default: break
                }
            }
        }
    }
}
