/// What /proc/PID/exe points to.
public struct ExecutableLink: Sendable, Hashable {
    /// The path under which the program was started, without the mark of the deleted.
    public let path: String

    /// Whether the file was removed or replaced since: the process runs an outdated program.
    public let isDeleted: Bool

    /// Makes a link from its parts.
    public init(path: String, isDeleted: Bool) {
        self.path = path
        self.isDeleted = isDeleted
    }

    /// Reads the target of the link, which the kernel ends in ` (deleted)` where the file has no name any more.
    public init(parsing target: String) {
        let mark = " (deleted)"
        isDeleted = target.hasSuffix(mark)
        path = isDeleted ? String(target.dropLast(mark.count)) : target
    }
}
