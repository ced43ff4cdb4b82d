/// A QMP monitor of a QEMU that listens on a unix socket.
public struct MonitorSocket: Sendable, Hashable {
    /// The absolute path at which it answers, as seen from this process.
    public var path: String
    /// The absolute path that it was bound to, in the QEMU's own view; the temporary name where a refresh made it.
    public var boundPath: String
    /// The name by which others know it, in the QEMU's own view: ``boundPath`` without the suffix of a refresh.
    public var lastingPath: String
    /// Whether the command line names no path but a descriptor (`fd=N`), as libvirt does.
    public var isInheritedDescriptor: Bool

    /// Makes a monitor socket.
    ///
    /// - Parameters:
    ///   - path: where it answers.
    ///   - boundPath: where it was bound; nil for the same.
    ///   - lastingPath: how others know it; nil for the same.
    ///   - isInheritedDescriptor: whether QEMU got it as a descriptor.
    public init(
        path: String, boundPath: String? = nil, lastingPath: String? = nil, isInheritedDescriptor: Bool = false
    ) {
        self.path = path
        self.boundPath = boundPath ?? path
        self.lastingPath = lastingPath ?? boundPath ?? path
        self.isInheritedDescriptor = isInheritedDescriptor
    }
}
