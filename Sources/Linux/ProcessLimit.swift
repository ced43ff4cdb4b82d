/// One resource limit of a process, see getrlimit(2).
public struct ProcessLimit: Sendable, Hashable {
    /// The number of the resource: RLIMIT_NOFILE is 7.
    public let resource: Int32
    /// What is enforced; nil is unlimited.
    public let soft: UInt64?
    /// How far the soft limit may be raised; nil is unlimited.
    public let hard: UInt64?

    /// Makes a limit from its parts.
    public init(resource: Int32, soft: UInt64?, hard: UInt64?) {
        self.resource = resource
        self.soft = soft
        self.hard = hard
    }

    /// RLIM_INFINITY stands for unlimited in the system calls.
    static let unlimited = UInt64.max

    /// The names of /proc/PID/limits in the order of their numbers on x86 and ARM.
    private static let names = [
        "Max cpu time", "Max file size", "Max data size", "Max stack size", "Max core file size", "Max resident set",
        "Max processes", "Max open files", "Max locked memory", "Max address space", "Max file locks",
        "Max pending signals", "Max msgqueue size", "Max nice priority", "Max realtime priority",
        "Max realtime timeout",
    ]

    /// Reads the table of /proc/PID/limits; rows that are not known are left out.
    static func parse(_ text: String) -> [ProcessLimit] {
        text.split(separator: "\n").compactMap { line in
            for (resource, name) in names.enumerated() where line.hasPrefix(name + " ") {
                let columns = line.dropFirst(name.utf8.count).split(separator: " ")
                guard columns.count >= 2, let soft = value(columns[0]), let hard = value(columns[1]) else { return nil }
                return ProcessLimit(resource: Int32(resource), soft: soft, hard: hard)
            }
            return nil
        }
    }

    // The outer optional says whether it could be read, the inner one whether there is a limit.
    private static func value(_ column: Substring) -> UInt64?? {
        if column == "unlimited" { return .some(nil) }
        return UInt64(column).map { .some($0) }
    }
}
