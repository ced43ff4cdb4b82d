import JSON
import Linux
import QMP

/// Ordinary live migration between two QEMUs on one machine.
///
/// All memory is copied while the guest runs, then the parts changed since, and the rest after the guest has been
/// stopped. QEMU's defaults, except for unlimited bandwidth: the guest is stopped as soon as QEMU expects the rest to
/// take no longer than its default downtime-limit, 300 ms.
enum PrecopyHandover {
    static func run(_ guest: BenchGuest) async throws -> Handover {
        let begin = Clock.monotonic()
        let monitorPath = guest.temporaryMonitorPath()
        let successor = try guest.startSuccessor(monitorPath: monitorPath, paused: false)
        let old = try await QMPClient.connect(path: guest.monitorPath)
        let new = try await connect(monitorPath)
        defer {
            old.close()
            new.close()
        }
        for client in [old, new] {
            try await client.execute(MigrateSetCapabilities(["events": true]))
            try await client.execute(MigrateSetParameters(maximumBandwidth: 1 << 40))
        }
        let channel = "\(monitorPath).channel"
        let oldEvents = old.events(named: ["STOP", "MIGRATION"])
        let newEvents = new.events(named: ["RESUME"])
        try await new.execute(MigrateIncoming(uri: "unix:\(channel)"))
        try await old.execute(Migrate(uri: "unix:\(channel)"))

        var handover = Handover(switchMicroseconds: 0, wholeMicroseconds: 0)
        let stop = try await Self.stop(oldEvents)
        let resume = try await newEvents.next(within: .seconds(60)).timestamp.microsecondsSinceEpoch
        handover.switchMicroseconds = Int(resume - stop)
        try await completion(oldEvents)
        if let downtime = try await old.execute(QueryMigrate()).downtime {
            handover.phases["downtime"] = downtime * 1000
        }
        try await guest.succeed(with: successor, monitorPath: monitorPath)
        handover.wholeMicroseconds = Int((Clock.monotonic() - begin) / 1000)
        return handover
    }

    private static func stop(_ events: QMPEvents) async throws -> Int64 {
        while true {
            let event = try await events.next(within: .seconds(120))
            if event.name == "STOP" { return event.timestamp.microsecondsSinceEpoch }
            if event.data["status"]?.string == "failed" { throw BenchError("pre-copy failed") }
        }
    }

    private static func completion(_ events: QMPEvents) async throws {
        while true {
            let status = try await events.next(within: .seconds(60)).data["status"]?.string
            if status == "completed" { return }
            if status == "failed" { throw BenchError("pre-copy failed") }
        }
    }

    private static func connect(_ path: String) async throws -> QMPClient {
        for _ in 0..<30_000 {
            if let client = try? await QMPClient.connect(path: path, greetingDeadline: .seconds(30)) { return client }
            Clock.sleep(milliseconds: 1)
        }
        throw BenchError("no process listens at \(path)")
    }
}
