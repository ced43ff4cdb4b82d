/// A process identity that differs from that of a later process with the same number.
public struct ProcessIdentity: Sendable, Hashable, CustomStringConvertible {
    /// The pid in this PID namespace.
    public let pid: Int32

    /// The start time in clock ticks since boot: field 22 of /proc/PID/stat, see proc(5).
    public let startTime: UInt64

    /// Creates an identity from recorded values.
    public init(pid: Int32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }

    /// Returns the process that has this pid now; nil if there is none.
    public static func current(of pid: Int32) -> ProcessIdentity? {
        guard let status = try? ProcFS.status(pid) else { return nil }
        return ProcessIdentity(pid: pid, startTime: status.startTime)
    }

    /// Whether this process exists and can still run; false for a zombie, unless other threads of it are still exiting.
    public var isAlive: Bool {
        guard let status = try? ProcFS.status(pid) else { return false }
        return status.startTime == startTime && !(status.isDead && status.threads <= 1)
    }

    /// The pid and the start time: `1234@567890`.
    public var description: String { "\(pid)@\(startTime)" }
}

/// The target of /proc/PID/exe.
public struct ExecutableLink: Sendable, Hashable {
    /// The path from which the program was started, without the suffix ` (deleted)`.
    public let path: String

    /// Whether the file has been removed or replaced since: the process runs an outdated program.
    public let isDeleted: Bool

    /// Creates a link from its parts.
    public init(path: String, isDeleted: Bool) {
        self.path = path
        self.isDeleted = isDeleted
    }

    /// Parses the target of the link; the kernel appends ` (deleted)` if the file was removed.
    public init(parsing target: String) {
        let mark = " (deleted)"
        isDeleted = target.hasSuffix(mark)
        path = isDeleted ? String(target.dropLast(mark.count)) : target
    }
}
