public import Guests
public import JSON

/// The result of a refresh, which determines where the guest is.
public enum RefreshOutcome: String, Sendable, Hashable, CaseIterable {
    /// The guest runs on the new QEMU, and the old one is gone completely.
    case refreshed
    /// A dry run started and linked a new QEMU and removed it again; the guest never paused.
    case rehearsed
    /// Preflight found a reason to refuse; nothing was touched.
    case blocked
    /// There is no such guest, or more than one; nothing was touched.
    case noGuest = "no-guest"
    /// The guest runs on the old QEMU, as before.
    case rolledBack = "rolled-back"
    /// The guest runs on the old QEMU, as before, because a deadline passed.
    case timedOut = "timed-out"
    /// The guest is on the new QEMU, but the cleanup is not complete.
    case incomplete
    /// The guest is gone: the QEMU that owned it died.
    case lost
    /// It could not be determined where the guest is; an operator must look.
    case unknown

    /// The exit status of a command with this outcome.
    ///
    /// 0 done; 1 failed, the guest runs on the old side; 3 blocked, nothing touched; 4 deadline passed, rolled back;
    /// 5 on the new side, cleanup incomplete; 6 unknown or lost: an operator must look; 64 no such guest.
    public var exitCode: Int32 {
        switch self {
        case .refreshed, .rehearsed: 0
        case .rolledBack: 1
        case .blocked: 3
        case .timedOut: 4
        case .incomplete: 5
        case .lost, .unknown: 6
        case .noGuest: HyperFreshError.usage
        }
    }
}

/// One QEMU process that has, or had, the guest.
public struct SideReport: Sendable, Hashable {
    /// Its process id.
    public let pid: Int32
    /// The version of the running QEMU, such as `7.2.22`; `nil` if it never answered.
    public let version: String?
    /// The path of its binary.
    public let binary: String
    /// The unix socket of its monitor.
    public let qmp: String?

    init(pid: Int32, version: String?, binary: String, qmp: String?) {
        self.pid = pid
        self.version = version
        self.binary = binary
        self.qmp = qmp
    }
}

/// The durations of the switch, measured between its events.
public struct SwitchTiming: Sendable, Hashable {
    /// From QEMU's STOP event on the old side to its RESUME event on the new one, in microseconds.
    ///
    /// This is the guest's downtime.
    public let stopToResume: Int
    /// From the old side's STOP event to the new side's `completed`, in microseconds.
    public let stopToNewCompleted: Int
    /// From the old side's STOP event to its own `completed`, in microseconds.
    public let stopToOldCompleted: Int
    /// From the second `completed` event, as received by this process, to writing `cont`, in microseconds.
    public let controller: Int
}

/// The result of one handoff: of a guest of this host, of a guest of a hypervisor, or of a container.
public struct HandoffReport: OperationReport {
    /// The operation, if this is its whole report; `nil` for a part of another report.
    let operation: String?
    /// The handoff's id: eight hexadecimal digits; `nil` if no handoff began.
    public internal(set) var id: String?
    /// The guest's name, or the container's.
    public internal(set) var guest: String
    /// The outcome of the handoff.
    public internal(set) var outcome: RefreshOutcome = .rolledBack
    /// The QEMU of this host that had the guest.
    public internal(set) var old: SideReport?
    /// The QEMU of this host that has it now, or would have.
    public internal(set) var new: SideReport?
    /// The durations of the switch; `nil` without a switch, or if the guest was paused all along.
    public internal(set) var timing: SwitchTiming?
    /// The phases of the handoff, in order.
    public internal(set) var phases: [PhaseTiming] = []
    /// The steps during which a container was stopped, in order, by the clocks of its OS VMs, in milliseconds.
    public internal(set) var steps: [(name: String, milliseconds: Int)] = []
    /// The number of bytes that each round copied while the container ran.
    public internal(set) var copied: [UInt64] = []
    /// From the request to the end, in milliseconds.
    public internal(set) var totalMilliseconds = 0.0
    /// The preflight findings about a guest of this host.
    public internal(set) var findings: [Finding] = []
    /// Warnings about a handoff that succeeded, one sentence each: for example, that the guest shut itself down.
    public internal(set) var warnings: [String] = []
    /// The error, if the handoff failed.
    public internal(set) var failure: HyperFreshError?

    init(_ guest: String, operation: String? = nil) {
        self.guest = guest
        self.operation = operation
    }

    /// The exit status of a command with this result.
    public var exitCode: Int32 { outcome.exitCode }
}

extension HandoffReport: JSONRepresentable {
    /// The `result` line of `refresh guest`; as a part of another report: `guest`, `id`, `outcome`, `switch_ms`,
    /// `switch`, `total_ms`, `phases`, `warnings`, `error`, and for a container `steps` and `copied_bytes`.
    public var json: JSONValue {
        let common: [String: JSONValue?] = [
            "guest": .string(guest), "id": id.map(JSONValue.string), "outcome": .string(outcome.rawValue),
            "switch_ms": timing.map { .number(Double($0.stopToResume) / 1000) }, "switch": timing?.json,
            "total_ms": .number(totalMilliseconds), "phases": phases.json,
            "warnings": .array(warnings.map(JSONValue.string)), "error": failure.map { .object($0.members) },
        ]
        guard let operation else {
            let container: [String: JSONValue?] = [
                "steps": steps.isEmpty
                    ? nil : .array(steps.map { ["name": .string($0.name), "ms": .integer(Int64($0.milliseconds))] }),
                "copied_bytes": copied.isEmpty ? nil : .array(copied.map(JSONValue.init)),
            ]
            return .object(common.merging(container) { $1 }.compactMapValues(\.self))
        }
        let whole: [String: JSONValue?] = [
            "operation": .string(operation), "exit_code": .integer(Int64(exitCode)),
            // QEMU's migration moves the state between two processes that map the same memory.
            "mechanism": "x-ignore-shared", "old": old?.json, "new": new?.json,
            "findings": .array(findings.filter { $0.severity != .pass }.map(\.json)),
        ]
        return JSONSchema.document(type: "result", common.merging(whole) { $1 })
    }
}

extension [PhaseTiming] {
    var json: JSONValue {
        .array(map { ["name": .string($0.phase.rawValue), "ms": .number($0.milliseconds)] })
    }
}
