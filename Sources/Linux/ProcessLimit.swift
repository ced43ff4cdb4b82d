/// One resource limit of a process, see getrlimit(2).
public struct ProcessLimit: Sendable, Hashable {
    /// The number of the resource, for example RLIMIT_NOFILE, 7.
    public let resource: Int32
    /// The enforced limit; nil means unlimited.
    public let soft: UInt64?
    /// The most to which the soft limit can be raised; nil means unlimited.
    public let hard: UInt64?

    /// Creates a limit from its parts.
    public init(resource: Int32, soft: UInt64?, hard: UInt64?) {
        self.resource = resource
        self.soft = soft
        self.hard = hard
    }

    /// The value of RLIM_INFINITY, which means unlimited.
    static let unlimited = UInt64.max

    /// The names in /proc/PID/limits, indexed by resource number on x86 and ARM.
    private static let names = [
        "Max cpu time", "Max file size", "Max data size", "Max stack size", "Max core file size", "Max resident set",
        "Max processes", "Max open files", "Max locked memory", "Max address space", "Max file locks",
        "Max pending signals", "Max msgqueue size", "Max nice priority", "Max realtime priority",
        "Max realtime timeout",
    ]

    /// Parses the table of /proc/PID/limits; ignores unknown rows.
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

    // The outer optional is nil if the value cannot be parsed, the inner one if it is unlimited.
    private static func value(_ column: Substring) -> UInt64?? {
        if column == "unlimited" { return .some(nil) }
        return UInt64(column).map { .some($0) }
    }
}
