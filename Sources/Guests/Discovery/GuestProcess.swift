public import Linux
public import QMP

/// A QEMU that runs a guest, as far as /proc tells.
public struct GuestProcess: Sendable, Hashable {
    /// The process.
    public var identity: ProcessIdentity
    /// `-name`, else `-uuid`, else the pid.
    public var name: String
    /// The guest's UUID as on the command line.
    public var uuid: String?
    /// The binary that runs; nil where we may not read it.
    public var executable: ExecutableLink?
    /// The argument vector.
    public var arguments: [String]
    /// The argument vector as QEMU reads it; nil where it cannot be read, see ``commandLineProblem``.
    public var commandLine: CommandLine?
    /// Why the command line cannot be read.
    public var commandLineProblem: String?
    /// The working folder; nil where we may not read it.
    public var workingDirectory: String?
    /// The user that QEMU runs as now; nil where /proc does not say.
    public var userID: UInt32?
    /// Where its QMP monitors listen.
    public var monitors: [MonitorSocket]
    /// The parts of its memory, as on the command line.
    public var memoryBackends: [MemoryBackendOption]
    /// The accelerators in the order in which QEMU tries them: `kvm`, `tcg`.
    public var accelerators: [String]
    /// Whether it is the new side of a refresh that has not committed: it waits for a guest that runs elsewhere.
    public var isNewSideOfRefresh: Bool
    /// The version that runs; nil where nobody could say.
    public var runningVersion: QEMUVersion?
    /// The version of the file that stands at the binary's path now; nil where there is none, or it could not be asked.
    public var installedVersion: QEMUVersion?

    /// Whether the file that runs is no longer at its path: it was upgraded or removed.
    public var isBinaryDeleted: Bool { executable?.isDeleted ?? false }
}
