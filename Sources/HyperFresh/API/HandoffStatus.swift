import Handoff
public import JSON
import Linux

/// A handoff that is in progress, or was left unfinished.
public struct HandoffStatus: Sendable, Hashable, JSONRepresentable {
    /// The handoff's id.
    public let id: String
    /// The guest's name.
    public let guest: String
    /// The last state on record (docs/state-machine.md).
    public let state: String
    /// The old QEMU.
    public let oldPID: Int32?
    /// The new QEMU, once it exists.
    public let newPID: Int32?
    /// When it began, RFC 3339, UTC.
    public let since: String
    /// Whether a controller is working on it; otherwise `hyperfresh recover` completes it or rolls it back.
    public let isGoingOn: Bool
    /// The reason why its record cannot be relied on; `nil` if it can.
    public let problem: String?

    init(_ entry: HandoffEntry) {
        id = entry.id
        guest = entry.subject?.name ?? "?"
        state = entry.state?.rawValue ?? "?"
        oldPID = entry.subject?.hostGuest?.old.pid
        newPID = entry.newIdentity?.pid
        since = WallClock.rfc3339(entry.began)
        isGoingOn = entry.isGoingOn
        problem = entry.problem
    }

    /// `id`, `guest`, `state`, `old_pid`, `new_pid`, `since`, `going_on`, `problem`.
    public var json: JSONValue {
        .object(
            [
                "id": .string(id), "guest": .string(guest), "state": .string(state),
                "old_pid": oldPID.map { .integer(Int64($0)) }, "new_pid": newPID.map { .integer(Int64($0)) },
                "since": .string(since), "going_on": .bool(isGoingOn), "problem": problem.map(JSONValue.string),
            ].compactMapValues(\.self))
    }
}

/// A past handoff.
public struct HistoryEntry: Sendable, JSONRepresentable {
    /// The handoff's id.
    public let id: String
    /// The guest's name.
    public let guest: String
    /// When it began, RFC 3339, UTC.
    public let time: String
    /// The outcome as in a `result` document; if the controller died, the state that recovery reached.
    public let outcome: String
    /// The version of the old QEMU.
    public let oldVersion: String?
    /// The version of the new QEMU.
    public let newVersion: String?
    /// The guest's downtime in microseconds; `nil` without a switch.
    public let switchMicroseconds: Int?
    /// From the request to the end, in milliseconds.
    public let totalMilliseconds: Double?
    /// The reason why its record cannot be relied on; `nil` if it can.
    public let problem: String?
    private let result: JSONValue?

    init(_ entry: HandoffEntry) {
        id = entry.id
        guest = entry.subject?.name ?? "?"
        time = WallClock.rfc3339(entry.began)
        result = entry.result
        problem = entry.problem
        outcome = entry.result?["outcome"]?.string ?? entry.recovered ?? entry.state?.rawValue ?? "?"
        oldVersion = entry.subject?.versions.old
        newVersion = entry.result?["new"]?["version"]?.string ?? entry.subject?.versions.new
        switchMicroseconds = entry.result?["switch"]?["stop_to_resume_us"]?.int
        totalMilliseconds = entry.result?["total_ms"]?.double
    }

    /// `id`, `guest`, `time`, `outcome`, `problem`, and `result`, the final document of the refresh.
    public var json: JSONValue {
        .object(
            [
                "id": .string(id), "guest": .string(guest), "time": .string(time), "outcome": .string(outcome),
                "problem": problem.map(JSONValue.string), "result": result,
            ].compactMapValues(\.self))
    }
}
