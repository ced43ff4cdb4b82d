public import Guests

/// How a refresh ended, and where the guest is because of it.
public enum RefreshOutcome: String, Sendable, Hashable, CaseIterable {
    /// The guest runs on the new QEMU; nothing is left of the old one.
    case refreshed
    /// A dry run came to a linked new QEMU and removed it again; the guest never paused.
    case rehearsed
    /// Preflight found a reason not to begin; nothing was touched.
    case blocked
    /// There is no such guest, or more than one; nothing was touched.
    case noGuest = "no-guest"
    /// The guest runs on the old QEMU, as before.
    case rolledBack = "rolled-back"
    /// The guest runs on the old QEMU, as before, because a deadline passed.
    case timedOut = "timed-out"
    /// The guest is on the new QEMU, but cleaning up was not complete.
    case incomplete
    /// The guest is gone: the QEMU that owned it died.
    case lost
    /// It could not be settled where the guest is; an operator must look.
    case unknown

    /// The exit status of a command that ended so.
    ///
    /// 0 done · 1 failed, the guest runs on the old side · 3 blocked, nothing touched · 4 deadline passed, rolled back ·
    /// 5 on the new side, cleaning up incomplete · 6 cannot tell, or gone: an operator must look · 64 no such guest.
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

/// One QEMU process that had, or has, the guest.
public struct SideReport: Sendable, Hashable {
    /// Its process id.
    public let pid: Int32
    /// The version that runs in it, such as `7.2.22`; `nil` where it never answered.
    public let version: String?
    /// The path of its binary.
    public let binary: String
    /// The unix socket at which its monitor answers.
    public let qmp: String?

    init(pid: Int32, version: String?, binary: String, qmp: String?) {
        self.pid = pid
        self.version = version
        self.binary = binary
        self.qmp = qmp
    }
}

/// The moments of the switch, as far as it came.
public struct SwitchTiming: Sendable, Hashable {
    /// From QEMU's STOP event on the old side to its RESUME event on the new one, in microseconds.
    ///
    /// The guest's downtime.
    public let stopToResume: Int
    /// From the old side's STOP event to the new side's `completed`, in microseconds.
    public let stopToNewCompleted: Int
    /// From the old side's STOP event to its own `completed`, in microseconds.
    public let stopToOldCompleted: Int
    /// From the moment this process saw the second `completed` to the moment `cont` was written, in microseconds.
    public let controller: Int
}

/// The record of one refresh: what `--json` prints last, and what `history` remembers.
public struct RefreshReport: Sendable {
    /// The handoff's id: eight hexadecimal digits; `nil` when none was begun.
    public internal(set) var id: String?
    /// The guest's name.
    public internal(set) var guest: String
    /// How it ended.
    public internal(set) var outcome: RefreshOutcome
    /// By what means the state moves: `x-ignore-shared` migration between two QEMUs on the same memory.
    public let mechanism = "x-ignore-shared"
    /// The QEMU that had the guest.
    public internal(set) var old: SideReport?
    /// The QEMU that has it now, or would have.
    public internal(set) var new: SideReport?
    /// The moments of the switch; `nil` when it did not come to one, or when the guest was paused all along.
    public internal(set) var timing: SwitchTiming?
    /// From the request to the end, in milliseconds.
    public internal(set) var totalMilliseconds = 0.0
    /// The phases that were gone through, in order.
    public internal(set) var phases: [PhaseTiming] = []
    /// What preflight found, where it came to that.
    public internal(set) var findings: [Finding] = []
    /// What is worth knowing of a refresh that went well, a sentence each: a guest that shut itself down meanwhile.
    public internal(set) var warnings: [String] = []
    /// What happened, for a person, when it did not go well.
    public internal(set) var failure: HyperFreshError?
}
