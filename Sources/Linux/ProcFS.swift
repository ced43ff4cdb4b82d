internal import Glibc

/// What the kernel tells about processes; see proc(5).
///
/// A process may end at any time: then these throw ENOENT or ESRCH, see `SystemError.isGone`. Reading those of another user
/// throws EACCES. Every read is bounded.
public enum ProcFS {
    /// The most that is read of one file.
    ///
    /// The kernel's own bound for arguments and environment is 6 MiB (execve(2)).
    static let limit = 16 << 20

    /// The numbers of all processes of our PID namespace, ascending; those of threads are not among them.
    ///
    /// - Throws: `SystemError` from `opendir`, when /proc is not mounted.
    public static func processes() throws(SystemError) -> [Int32] {
        try names(inFolder: "/proc").compactMap { Int32($0) }.sorted()
    }

    /// What /proc/PID/stat tells.
    ///
    /// - Throws: `SystemError`; ENOENT or ESRCH when there is no such process.
    public static func status(_ pid: Int32) throws(SystemError) -> ProcessStatus {
        let path = "/proc/\(pid)/stat"
        guard let status = ProcessStatus(parsing: try read(path)) else { throw malformed(path) }
        return status
    }

    /// The arguments that the process was started with, [0] first; empty for a kernel thread or a zombie.
    ///
    /// - Throws: `SystemError`; EILSEQ when an argument is not UTF-8.
    public static func commandLine(_ pid: Int32) throws(SystemError) -> [String] {
        let path = "/proc/\(pid)/cmdline"
        return try texts(separatedByZero: try read(path), path: path)
    }

    /// The environment that the process was started with, as `NAME=value`.
    ///
    /// - Throws: `SystemError`; EACCES without the right to trace the process; EILSEQ when a value is not UTF-8.
    public static func environment(_ pid: Int32) throws(SystemError) -> [String] {
        let path = "/proc/\(pid)/environ"
        return try texts(separatedByZero: try read(path), path: path)
    }

    /// The working folder; ends in ` (deleted)` when it was removed.
    ///
    /// - Throws: `SystemError`; EACCES without the right to trace the process.
    public static func workingDirectory(_ pid: Int32) throws(SystemError) -> String {
        try Files.linkTarget("/proc/\(pid)/cwd")
    }

    /// The program that runs.
    ///
    /// - Throws: `SystemError`; EACCES without the right to trace the process; ENOENT for a kernel thread too.
    public static func executable(_ pid: Int32) throws(SystemError) -> ExecutableLink {
        ExecutableLink(parsing: try Files.linkTarget("/proc/\(pid)/exe"))
    }

    static func read(_ path: String) throws(SystemError) -> [UInt8] {
        try Files.readAll(path, limit: limit)
    }

    static func malformed(_ path: String) -> SystemError {
        SystemError(operation: "read", subject: path, code: EBADMSG, detail: "not in the form of proc(5)")
    }

    /// Splits what ends each of its parts by a zero byte; the last zero may be missing.
    static func texts(separatedByZero bytes: [UInt8], path: String) throws(SystemError) -> [String] {
        var parts = bytes.split(separator: 0, omittingEmptySubsequences: false)
        if parts.last?.isEmpty == true { parts.removeLast() }
        var texts: [String] = []
        for part in parts {
            texts.append(try exactText(part, operation: "read", subject: path))
        }
        return texts
    }

    /// The names in a folder, without `.` and `..`, in no order.
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
    /// Whether it only says that the process has ended (or never was).
    public var isGone: Bool { code == ENOENT || code == ESRCH }
}
