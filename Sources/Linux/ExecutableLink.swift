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
