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
