import Glibc
import Linux

/// The minimum: the same QMP sequence as hyperfresh's on the same kind of guest.
///
/// It uses blocking sockets, no JSON library, no checks, no journal, no rollback.
enum FloorHandover {
    static func run(_ guest: BenchGuest) async throws -> Handover {
        let begin = Clock.monotonic()
        let monitorPath = guest.temporaryMonitorPath()
        let successor = try guest.startSuccessor(monitorPath: monitorPath, paused: true)
        let old = try RawMonitor(path: guest.monitorPath)
        let new = try RawMonitor(path: monitorPath)
        try link(old: old, new: new)
        var handover = try pass(from: old, to: new)
        try await guest.succeed(with: successor, monitorPath: monitorPath)
        handover.wholeMicroseconds = Int((Clock.monotonic() - begin) / 1000)
        return handover
    }

    private static func link(old: RawMonitor, new: RawMonitor) throws {
        for monitor in [old, new] {
            let capabilities = ["events", "x-ignore-shared", "return-path", "late-block-activate"]
                .map { #"{"capability":"\#($0)","state":true}"# }.joined(separator: ",")
            try monitor.execute(
                #"{"execute":"migrate-set-capabilities","arguments":{"capabilities":[\#(capabilities)]}}"#)
            try monitor.execute(
                #"{"execute":"migrate-set-parameters","arguments":{"max-bandwidth":1099511627776,"downtime-limit":60000}}"#
            )
        }
        let (oldEnd, newEnd) = try UnixStream.pair()
        try new.execute(#"{"execute":"getfd","arguments":{"fdname":"channel"}}"#, descriptors: [newEnd.number])
        try old.execute(#"{"execute":"getfd","arguments":{"fdname":"channel"}}"#, descriptors: [oldEnd.number])
        try new.execute(#"{"execute":"migrate-incoming","arguments":{"uri":"fd:channel"}}"#)
    }

    /// Performs the part from `migrate` to RESUME.
    private static func pass(from old: RawMonitor, to new: RawMonitor) throws -> Handover {
        var stop: Int64 = 0
        var oldCompleted: Int64 = 0
        var newCompleted: Int64 = 0
        var seen: Int64 = 0
        var entries = [old, new].map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
        try old.send(#"{"execute":"migrate","arguments":{"uri":"fd:channel"}}"#)
        while oldCompleted == 0 || newCompleted == 0 {
            guard poll(&entries, 2, 60_000) > 0 else { throw BenchError("the floor: no event within a minute") }
            for (monitor, entry) in zip([old, new], entries) where entry.revents != 0 {
                try monitor.receive()
                seen = Clock.monotonic()
                while let line = monitor.nextLine() {
                    if line.has("\"completed\"") {
                        if monitor === old { oldCompleted = line.eventTime } else { newCompleted = line.eventTime }
                    } else if line.has("\"STOP\"") {
                        stop = line.eventTime
                    } else if line.has("\"failed\"") || line.has("\"error\"") {
                        throw BenchError("the floor: \(String(decoding: line, as: UTF8.self))")
                    }
                }
            }
        }
        try new.send(#"{"execute":"cont"}"#)
        let written = Clock.monotonic()
        let resume = try new.line(containing: "\"RESUME\"").eventTime
        return Handover(
            switchMicroseconds: Int(resume - stop),
            wholeMicroseconds: 0,
            oldCompletedMicroseconds: Int(oldCompleted - stop),
            newCompletedMicroseconds: Int(newCompleted - stop),
            controllerMicroseconds: Int((written - seen) / 1000)
        )
    }
}
