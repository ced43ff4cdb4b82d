internal import CLinux
internal import Glibc

/// Reads facts about processes from /proc; see proc(5).
///
/// A process may exit at any time; the functions then throw ENOENT or ESRCH, see `SystemError.isGone`. For processes of
/// other users they throw EACCES. Every read has a size limit.
public enum ProcFS {
    /// The size limit for one file.
    ///
    /// The kernel limits arguments and environment to 6 MiB (execve(2)).
    static let limit = 16 << 20

    /// Returns the pids of all processes in this PID namespace, ascending; threads are not included.
    ///
    /// - Throws: `SystemError` from `opendir`, when /proc is not mounted.
    public static func processes() throws(SystemError) -> [Int32] {
        try names(inFolder: "/proc").compactMap { Int32($0) }.sorted()
    }

    /// Returns the fields of /proc/PID/stat.
    ///
    /// - Throws: `SystemError`; ENOENT or ESRCH if there is no such process.
    public static func status(_ pid: Int32) throws(SystemError) -> ProcessStatus {
        let path = "/proc/\(pid)/stat"
        guard let status = ProcessStatus(parsing: try read(path)) else { throw malformed(path) }
        return status
    }

    /// Returns the command line of a process, argument 0 first; empty for a kernel thread or a zombie.
    ///
    /// - Throws: `SystemError`; EILSEQ if an argument is not UTF-8.
    public static func commandLine(_ pid: Int32) throws(SystemError) -> [String] {
        let path = "/proc/\(pid)/cmdline"
        return try texts(separatedByZero: try read(path), path: path)
    }

    /// Returns the initial environment of a process, as `NAME=value`.
    ///
    /// - Throws: `SystemError`; EACCES without permission to trace the process; EILSEQ if a value is not UTF-8.
    public static func environment(_ pid: Int32) throws(SystemError) -> [String] {
        let path = "/proc/\(pid)/environ"
        return try texts(separatedByZero: try read(path), path: path)
    }

    /// Returns the working directory; it ends in ` (deleted)` if it was removed.
    ///
    /// - Throws: `SystemError`; EACCES without permission to trace the process.
    public static func workingDirectory(_ pid: Int32) throws(SystemError) -> String {
        try Files.linkTarget("/proc/\(pid)/cwd")
    }

    /// Returns the program that a process runs.
    ///
    /// - Throws: `SystemError`; EACCES without permission to trace the process; ENOENT for a kernel thread too.
    public static func executable(_ pid: Int32) throws(SystemError) -> ExecutableLink {
        ExecutableLink(parsing: try Files.linkTarget("/proc/\(pid)/exe"))
    }

    static func read(_ path: String) throws(SystemError) -> [UInt8] {
        try Files.readAll(path, limit: limit)
    }

    static func malformed(_ path: String) -> SystemError {
        SystemError(operation: "read", subject: path, code: EBADMSG, detail: "its content does not match proc(5)")
    }

    /// Splits bytes into strings that each end with a zero byte; the last zero may be missing.
    static func texts(separatedByZero bytes: [UInt8], path: String) throws(SystemError) -> [String] {
        var parts = bytes.split(separator: 0, omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        var texts: [String] = []
        for part in parts {
            texts.append(try exactText(part, operation: "read", subject: path))
        }
        return texts
    }

    /// Returns the names in a folder, without `.` and `..`, in no particular order.
    ///
    /// - Throws: `SystemError` from `opendir` or `readdir`.
    public static func names(inFolder path: String) throws(SystemError) -> [String] {
        guard let folder = opendir(path) else { throw .last("opendir", path) }
        defer { closedir(folder) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                if errno != 0 { throw .last("readdir", path) }
                return names
            }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }
}

extension SystemError {
    /// Whether it means that the process has exited or never existed.
    public var isGone: Bool { code == ENOENT || code == ESRCH }
}

// MARK: - Details

extension ProcFS {
    /// Returns user, groups and capabilities of a process.
    ///
    /// - Throws: `SystemError`; ENOENT or ESRCH if there is no such process.
    public static func credentials(_ pid: Int32) throws(SystemError) -> ProcessCredentials {
        let path = "/proc/\(pid)/status"
        guard let credentials = ProcessCredentials(parsing: try text(path)) else { throw malformed(path) }
        return credentials
    }

    /// Returns the memory mappings of a process, by ascending address.
    ///
    /// - Throws: `SystemError`; EACCES without permission to trace the process.
    public static func mappings(_ pid: Int32) throws(SystemError) -> [MemoryMapping] {
        MemoryMapping.parse(try read("/proc/\(pid)/maps"))
    }

    /// Returns the memory mappings of a process; works after its main thread has exited, too.
    ///
    /// - Throws: `SystemError`; EACCES without permission to trace the process.
    public static func mappingsOfThreads(_ pid: Int32) throws(SystemError) -> [MemoryMapping] {
        let mappings = try mappings(pid)
        guard mappings.isEmpty, try status(pid).isDead else { return mappings }
        var all: [MemoryMapping] = []
        for name in try names(inFolder: "/proc/\(pid)/task") {
            guard let thread = Int32(name) else { continue }
            do throws(SystemError) { all += try self.mappings(thread) } catch {
                // The thread has exited since and maps nothing.
                if !error.isGone { throw error }
            }
        }
        return all
    }

    /// Returns the open descriptors with their targets: a path, `socket:[INODE]`, `anon_inode:kvm-vm`.
    ///
    /// Descriptors that are closed during the call are omitted.
    ///
    /// - Throws: `SystemError`; EACCES without permission to trace the process.
    public static func descriptors(_ pid: Int32) throws(SystemError) -> [Int32: String] {
        let folder = "/proc/\(pid)/fd"
        var targets: [Int32: String] = [:]
        for name in try names(inFolder: folder) {
            guard let number = Int32(name) else { continue }
            do throws(SystemError) {
                targets[number] = try Files.linkTarget("\(folder)/\(name)")
            } catch  where error.code == EILSEQ {
                targets[number] = ""
            } catch  where error.isGone {
                continue
            }
        }
        return targets
    }

    /// Returns the fields of one descriptor's fdinfo: `pos`, `flags`, and those of its kind (`iff` for a tap).
    ///
    /// - Throws: `SystemError`; ENOENT if the process has no such descriptor.
    public static func descriptorInfo(_ pid: Int32, _ number: Int32) throws(SystemError) -> [String: String] {
        var fields: [String: String] = [:]
        for line in try text("/proc/\(pid)/fdinfo/\(number)").split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            if fields[String(line[..<colon])] == nil { fields[String(line[..<colon])] = String(value) }
        }
        return fields
    }

    /// Returns the control group in the unified hierarchy, relative to the root visible here:
    /// `/system.slice/a.service`.
    ///
    /// - Throws: `SystemError`; EBADMSG if the machine has no unified hierarchy.
    public static func cgroup(_ pid: Int32) throws(SystemError) -> String {
        let path = "/proc/\(pid)/cgroup"
        guard let cgroup = unifiedCgroup(in: try text(path)) else { throw malformed(path) }
        return cgroup
    }

    static func unifiedCgroup(in text: String) -> String? {
        text.split(separator: "\n").first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) }
    }

    /// Returns the resource limits of a process.
    ///
    /// - Throws: `SystemError`; ENOENT or ESRCH if there is no such process.
    public static func limits(_ pid: Int32) throws(SystemError) -> [ProcessLimit] {
        ProcessLimit.parse(try text("/proc/\(pid)/limits"))
    }

    /// Returns the identifiers of a process's namespaces by kind (`net`, `mnt`).
    ///
    /// - Throws: `SystemError`; EACCES without permission to trace the process.
    public static func namespaces(_ pid: Int32) throws(SystemError) -> [String: UInt64] {
        let folder = "/proc/\(pid)/ns"
        var result: [String: UInt64] = [:]
        for name in try names(inFolder: folder) {
            // `net:[4026531992]`
            let target = try Files.linkTarget("\(folder)/\(name)")
            guard let open = target.firstIndex(of: "["), target.last == "]" else { continue }
            result[name] = UInt64(target[target.index(after: open)...].dropLast())
        }
        return result
    }

    /// Returns the process's pids in its PID namespaces: first in that of /proc, last in its own.
    ///
    /// - Throws: `SystemError`; ENOENT or ESRCH if there is no such process; EBADMSG on kernels before 4.1.
    public static func namespacePIDs(_ pid: Int32) throws(SystemError) -> [Int32] {
        let path = "/proc/\(pid)/status"
        guard let line = try text(path).split(separator: "\n").first(where: { $0.hasPrefix("NSpid:") }) else {
            throw malformed(path)
        }
        return line.dropFirst("NSpid:".count).split { $0 == "\t" || $0 == " " }.compactMap { Int32($0) }
    }

    /// Returns the root directory of a process.
    ///
    /// - Throws: `SystemError`; EACCES without permission to trace the process.
    public static func rootDirectory(_ pid: Int32) throws(SystemError) -> String {
        try Files.linkTarget("/proc/\(pid)/root")
    }

    /// Returns the resident memory of a process in bytes, shared pages included.
    ///
    /// - Throws: `SystemError`; ENOENT or ESRCH if there is no such process.
    public static func residentBytes(_ pid: Int32) throws(SystemError) -> UInt64 {
        let path = "/proc/\(pid)/statm"
        let fields = try text(path).split(separator: " ")
        guard fields.count > 1, let pages = UInt64(fields[1]) else { throw malformed(path) }
        return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// Returns the OOM killer's score adjustment of a process, from -1000 (never kill) to 1000.
    ///
    /// - Throws: `SystemError`; ENOENT or ESRCH if there is no such process.
    public static func oomScoreAdjustment(_ pid: Int32) throws(SystemError) -> Int32 {
        let path = "/proc/\(pid)/oom_score_adj"
        guard let value = Int32(try text(path).filter { $0 != "\n" }) else { throw malformed(path) }
        return value
    }

    /// Returns the AppArmor or SELinux label of a process; nil if it is not confined.
    ///
    /// - Throws: `SystemError`; ENOENT or ESRCH if there is no such process.
    public static func securityLabel(_ pid: Int32) throws(SystemError) -> String? {
        do throws(SystemError) {
            let label = try text("/proc/\(pid)/attr/current").filter { $0 != "\n" && $0 != "\0" }
            return label.isEmpty || label == "unconfined" ? nil : label
        } catch  where error.code == EINVAL {
            // No security module is active.
            return nil
        }
    }

    /// Returns the unix sockets in the network namespace of a process; without a pid, in this process's.
    ///
    /// - Throws: `SystemError`; ENOENT or ESRCH if there is no such process.
    public static func unixSockets(of pid: Int32? = nil) throws(SystemError) -> [UnixSocketEntry] {
        UnixSocketEntry.parse(try text("\(networkFolder(pid))/unix"))
    }

    /// Returns the listening TCP sockets in the network namespace of a process; without a pid, in this process's.
    ///
    /// - Throws: `SystemError`; ENOENT or ESRCH if there is no such process.
    public static func tcpListeners(of pid: Int32? = nil) throws(SystemError) -> [TCPListener] {
        let folder = networkFolder(pid)
        var listeners = TCPListener.parse(try text("\(folder)/tcp"))
        do throws(SystemError) {
            listeners += TCPListener.parse(try text("\(folder)/tcp6"))
        } catch  where error.code == ENOENT {
            // The kernel has no IPv6, unless the process has exited since.
            if let pid { _ = try status(pid) }
        }
        return listeners
    }

    private static func networkFolder(_ pid: Int32?) -> String {
        pid.map { "/proc/\($0)/net" } ?? "/proc/self/net"
    }

    /// Returns the ID of this boot; pids and start times from another boot are meaningless in this one.
    ///
    /// - Throws: `SystemError` if /proc cannot be read.
    public static func bootID() throws(SystemError) -> String {
        let path = "/proc/sys/kernel/random/boot_id"
        let id = try text(path).filter { !$0.isWhitespace }
        guard !id.isEmpty else { throw malformed(path) }
        return id
    }

    /// Returns the CPU time of a thread in nanoseconds.
    ///
    /// - Parameters:
    ///   - thread: The thread's number in this PID namespace.
    ///   - pid: Its process.
    /// - Returns: The time.
    /// - Throws: `SystemError`; ENOENT or ESRCH if there is no such thread, or the kernel lacks CONFIG_SCHED_INFO.
    public static func runTime(ofThread thread: Int, in pid: Int32) throws(SystemError) -> UInt64 {
        let path = "/proc/\(pid)/task/\(thread)/schedstat"
        guard let time = try text(path).split(separator: " ").first.flatMap({ UInt64($0) }) else {
            throw malformed(path)
        }
        return time
    }

    /// Returns the process that holds a flock(2) lock on a file, as listed in /proc/locks.
    ///
    /// - Parameter file: The file.
    /// - Returns: The process; `nil` if there is none, or it is in another PID namespace.
    /// - Throws: `SystemError` if /proc cannot be read.
    public static func lockHolder(of file: FileIdentity) throws(SystemError) -> Int32? {
        lockHolder(of: file, in: try text("/proc/locks"))
    }

    /// Parses lines such as `1: FLOCK ADVISORY WRITE 4711 00:1a:42 0 EOF`; a waiting process has `->` after the first
    /// number.
    static func lockHolder(of file: FileIdentity, in text: String) -> Int32? {
        for line in text.split(separator: "\n") {
            let columns = line.split(separator: " ")
            guard columns.count >= 6, columns[1] == "FLOCK", let pid = Int32(columns[4]), pid > 0 else { continue }
            let numbers = columns[5].split(separator: ":")
            guard numbers.count == 3, let major = UInt32(numbers[0], radix: 16),
                let minor = UInt32(numbers[1], radix: 16), let inode = UInt64(numbers[2]),
                FileIdentity(major: major, minor: minor, inode: inode) == file
            else { continue }
            return pid
        }
        return nil
    }

    /// Reads a file of /proc as text; bytes that are not UTF-8 (in names only) become the replacement character.
    private static func text(_ path: String) throws(SystemError) -> String {
        String(decoding: try read(path), as: UTF8.self)
    }
}
