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
