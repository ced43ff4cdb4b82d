/// A process that cannot be mistaken for a later one with the same number.
public struct ProcessIdentity: Sendable, Hashable, CustomStringConvertible {
    /// The process number in our PID namespace.
    public let pid: Int32

    /// When it started, in clock ticks since boot: field 22 of /proc/PID/stat, see proc(5).
    public let startTime: UInt64

    /// Makes an identity from what was recorded.
    public init(pid: Int32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }

    /// Who has this number now; nil when there is no such process.
    public static func current(of pid: Int32) -> ProcessIdentity? {
        guard let status = try? ProcFS.status(pid) else { return nil }
        return ProcessIdentity(pid: pid, startTime: status.startTime)
    }

    /// Whether this very process exists and can still run: a zombie is dead, unless other threads of it still end.
    public var isAlive: Bool {
        guard let status = try? ProcFS.status(pid) else { return false }
        return status.startTime == startTime && !(status.isDead && status.threads <= 1)
    }

    /// The pid and the start time: `1234@567890`.
    public var description: String { "\(pid)@\(startTime)" }
}
