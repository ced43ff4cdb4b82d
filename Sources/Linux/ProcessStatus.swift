/// The fields of /proc/PID/stat that identify and describe a process.
public struct ProcessStatus: Sendable, Hashable {
    /// The process name: at most 15 bytes of any value.
    public let command: String
    /// One letter: R, S, D, T, Z (zombie), X (dead) and others; see proc(5).
    public let state: Character
    /// The parent's pid; 0 if it is outside this PID namespace.
    public let parent: Int32
    /// The process group.
    public let processGroup: Int32
    /// The session.
    public let session: Int32
    /// The number of threads.
    public let threads: Int32
    /// The start time in clock ticks since boot.
    public let startTime: UInt64

    /// Whether it has exited, although its pid is still in use.
    public var isDead: Bool { state == "Z" || state == "X" || state == "x" }

    /// Parses the single line of /proc/PID/stat; nil if it does not match proc(5).
    ///
    /// The name is between the first and the *last* parenthesis: it may itself contain parentheses, spaces and
    /// newlines.
    public init?(parsing line: [UInt8]) {
        guard
            let open = line.firstIndex(of: UInt8(ascii: "(")),
            let close = line.lastIndex(of: UInt8(ascii: ")")), open < close
        else { return nil }
        let fields = line[(close + 1)...].split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }
            .map { String(decoding: $0, as: UTF8.self) }
        // proc(5) counts fields from 1; the state is field 3.
        guard
            fields.count >= 20, let state = fields[0].first, fields[0].count == 1,
            let parent = Int32(fields[1]), let processGroup = Int32(fields[2]), let session = Int32(fields[3]),
            let threads = Int32(fields[17]), let startTime = UInt64(fields[19])
        else { return nil }
        command = String(decoding: line[(open + 1)..<close], as: UTF8.self)
        self.state = state
        self.parent = parent
        self.processGroup = processGroup
        self.session = session
        self.threads = threads
        self.startTime = startTime
    }
}

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

/// User, groups, capabilities and related attributes of a process, from /proc/PID/status; see proc(5).
public struct ProcessCredentials: Sendable, Hashable {
    /// The real, effective and saved IDs of a process's user or group.
    public struct Identifiers: Sendable, Hashable {
        /// The real ID.
        public var real: UInt32
        /// The effective ID.
        public var effective: UInt32
        /// The saved ID.
        public var saved: UInt32

        /// Creates identifiers from their parts.
        public init(real: UInt32, effective: UInt32, saved: UInt32) {
            self.real = real
            self.effective = effective
            self.saved = saved
        }
    }

    /// The user IDs.
    public var user: Identifiers
    /// The group IDs.
    public var group: Identifiers
    /// The supplementary groups, ascending.
    public var groups: [UInt32]

    /// The effective capabilities; each set is a mask of the bit numbers of capabilities(7).
    public var effective: UInt64
    /// The permitted capabilities.
    public var permitted: UInt64
    /// The inheritable capabilities.
    public var inheritable: UInt64
    /// The bounding set.
    public var bounding: UInt64
    /// The ambient capabilities.
    public var ambient: UInt64

    /// Whether execve cannot raise its privileges: PR_SET_NO_NEW_PRIVS in prctl(2).
    public var noNewPrivileges: Bool
    /// 0 none, 1 strict, 2 filter; see seccomp(2).
    public var seccompMode: Int
    /// The umask; nil on kernels before 4.7.
    public var umask: UInt32?

    /// Parses the text of /proc/PID/status; nil if it does not match proc(5).
    public init?(parsing text: String) {
        var fields: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == "\t" || $0 == " " }
            // The process name comes first and cannot contain a newline here: the kernel escapes it.
            if fields[line[..<colon]] == nil { fields[line[..<colon]] = value }
        }
        func numbers(_ key: Substring) -> [UInt32]? {
            guard let field = fields[key] else { return nil }
            let parts = field.split { $0 == "\t" || $0 == " " }
            let numbers = parts.compactMap { UInt32($0) }
            return numbers.count == parts.count ? numbers : nil
        }
        func identifiers(_ key: Substring) -> Identifiers? {
            guard let numbers = numbers(key), numbers.count >= 3 else { return nil }
            return Identifiers(real: numbers[0], effective: numbers[1], saved: numbers[2])
        }
        func set(_ key: Substring) -> UInt64? { fields[key].flatMap { UInt64($0, radix: 16) } }
        guard
            let user = identifiers("Uid"), let group = identifiers("Gid"), let groups = numbers("Groups"),
            let effective = set("CapEff"), let permitted = set("CapPrm"), let inheritable = set("CapInh"),
            let bounding = set("CapBnd")
        else { return nil }
        self.user = user
        self.group = group
        self.groups = groups.sorted()
        self.effective = effective
        self.permitted = permitted
        self.inheritable = inheritable
        self.bounding = bounding
        ambient = set("CapAmb") ?? 0
        noNewPrivileges = fields["NoNewPrivs"] == "1"
        seccompMode = fields["Seccomp"].flatMap { Int($0) } ?? 0
        umask = fields["Umask"].flatMap { UInt32($0, radix: 8) }
    }

    /// Whether execve grants it root's capabilities.
    private var isRoot: Bool { user.real == 0 || user.effective == 0 }

    /// The bounding set for a process that must get these capabilities and no more.
    ///
    /// At execve, root regains its whole bounding set; for root, it is therefore reduced to the permitted set.
    var boundingForExec: UInt64 { isRoot ? bounding & permitted : bounding }

    /// The inheritable set for such a process; root regains it at execve, too.
    var inheritableForExec: UInt64 { inheritable & boundingForExec }
}
