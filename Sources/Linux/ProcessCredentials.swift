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
