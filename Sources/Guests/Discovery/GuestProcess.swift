package import Linux
package import QEMUCommandLine
package import QMP

/// A QEMU process that runs a guest, as described in /proc.
package struct GuestProcess: Sendable, Hashable {
    /// The pid and the start time.
    package var identity: ProcessIdentity
    /// `-name`, else `-uuid`, else the pid.
    package var name: String
    /// The guest's UUID as on the command line.
    package var uuid: String?
    /// The running binary; nil if it is not readable.
    package var executable: ExecutableLink?
    /// The argument vector.
    package var arguments: [String]
    /// The argument vector as QEMU parses it; nil if it cannot be parsed, see ``commandLineProblem``.
    package var commandLine: CommandLine?
    /// Why the command line cannot be parsed; nil if it can.
    package var commandLineProblem: String?
    /// The working directory; nil if it is not readable.
    package var workingDirectory: String?
    /// The effective user of the QEMU process; nil if /proc does not tell.
    package var userID: UInt32?
    /// Where its QMP monitors listen.
    package var monitors: [MonitorSocket]
    /// Its memory backends, as on the command line.
    package var memoryBackends: [MemoryBackendOption]
    /// The accelerators in the order in which QEMU tries them: `kvm`, `tcg`.
    package var accelerators: [String]
    /// Whether it is the new side of an uncommitted handoff: it waits for a guest that another QEMU runs.
    package var isNewSideOfRefresh: Bool
    /// The version of the running binary; nil if unknown.
    package var runningVersion: QEMUVersion?
    /// The version of the file now at the binary's path; nil if there is none, or it did not answer.
    package var installedVersion: QEMUVersion?

    /// Whether the running file is no longer at its path because it was upgraded or removed.
    package var isBinaryDeleted: Bool { executable?.isDeleted ?? false }
}

/// A QMP monitor of QEMU that listens on a unix socket.
package struct MonitorSocket: Sendable, Hashable {
    /// The absolute path at which it answers, as seen from this process.
    package var path: String
    /// The absolute path it was bound to, in QEMU's own view; a temporary name if a handoff created it.
    package var boundPath: String
    /// The name that other programs use, in QEMU's own view: ``boundPath`` without the suffix of a handoff.
    package var lastingPath: String
    /// Whether the command line gives a descriptor (`fd=N`) instead of a path, as libvirt does.
    package var isInheritedDescriptor: Bool

    /// Creates a monitor socket; omitted paths equal the ones before them.
    ///
    /// - Parameters:
    ///   - path: where it answers.
    ///   - boundPath: where it was bound; nil if the same.
    ///   - lastingPath: the name that other programs use; nil if the same.
    ///   - isInheritedDescriptor: whether QEMU received it as a descriptor.
    package init(
        path: String, boundPath: String? = nil, lastingPath: String? = nil, isInheritedDescriptor: Bool = false
    ) {
        self.path = path
        self.boundPath = boundPath ?? path
        self.lastingPath = lastingPath ?? boundPath ?? path
        self.isInheritedDescriptor = isInheritedDescriptor
    }
}
