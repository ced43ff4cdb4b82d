public import Linux
internal import QEMUCommandLine
public import QMP

/// A QEMU process that runs a guest, as described in /proc.
public struct GuestProcess: Sendable, Hashable {
    /// The pid and the start time.
    public var identity: ProcessIdentity
    /// `-name`, else `-uuid`, else the pid.
    public var name: String
    /// The guest's UUID as on the command line.
    public var uuid: String?
    /// The running binary; nil if it is not readable.
    public var executable: ExecutableLink?
    /// The argument vector.
    public var arguments: [String]
    /// The argument vector as QEMU parses it; nil if it cannot be parsed, see ``commandLineProblem``.
    public var commandLine: CommandLine?
    /// Why the command line cannot be parsed; nil if it can.
    public var commandLineProblem: String?
    /// The working directory; nil if it is not readable.
    public var workingDirectory: String?
    /// The effective user of the QEMU process; nil if /proc does not tell.
    public var userID: UInt32?
    /// Where its QMP monitors listen.
    public var monitors: [MonitorSocket]
    /// Its memory backends, as on the command line.
    public var memoryBackends: [MemoryBackendOption]
    /// The accelerators in the order in which QEMU tries them: `kvm`, `tcg`.
    public var accelerators: [String]
    /// Whether it is the new side of an uncommitted handoff: it waits for a guest that another QEMU runs.
    public var isNewSideOfRefresh: Bool
    /// The version of the running binary; nil if unknown.
    public var runningVersion: QEMUVersion?
    /// The version of the file now at the binary's path; nil if there is none, or it did not answer.
    public var installedVersion: QEMUVersion?

    /// Whether the running file is no longer at its path because it was upgraded or removed.
    public var isBinaryDeleted: Bool { executable?.isDeleted ?? false }
}

/// A QMP monitor of QEMU that listens on a unix socket.
public struct MonitorSocket: Sendable, Hashable {
    /// The absolute path at which it answers, as seen from this process.
    public var path: String
    /// The absolute path it was bound to, in QEMU's own view; a temporary name if a handoff created it.
    public var boundPath: String
    /// The name that other programs use, in QEMU's own view: ``boundPath`` without the suffix of a handoff.
    public var lastingPath: String
    /// Whether the command line gives a descriptor (`fd=N`) instead of a path, as libvirt does.
    public var isInheritedDescriptor: Bool

    /// Creates a monitor socket; omitted paths equal the ones before them.
    ///
    /// - Parameters:
    ///   - path: where it answers.
    ///   - boundPath: where it was bound; nil if the same.
    ///   - lastingPath: the name that other programs use; nil if the same.
    ///   - isInheritedDescriptor: whether QEMU received it as a descriptor.
    public init(
        path: String, boundPath: String? = nil, lastingPath: String? = nil, isInheritedDescriptor: Bool = false
    ) {
        self.path = path
        self.boundPath = boundPath ?? path
        self.lastingPath = lastingPath ?? boundPath ?? path
        self.isInheritedDescriptor = isInheritedDescriptor
    }
}
