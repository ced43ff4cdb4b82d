internal import CLinux
internal import Glibc

extension Files {
    /// Whether there is anything at a path, be it a link that leads nowhere.
    public static func exists(_ path: String) -> Bool { (try? status(path, followingLinks: false)) != nil }

    /// What a path leads to.
    ///
    /// - Parameters:
    ///   - path: what to look at.
    ///   - followingLinks: whether a symbolic link stands for what it points to.
    /// - Returns: its status.
    /// - Throws: `SystemError` from `stat`.
    public static func status(_ path: String, followingLinks: Bool = true) throws(SystemError) -> FileStatus {
        var raw = stat()
        _ = try retrying("stat", path) {
            fstatat(AT_FDCWD, path, &raw, followingLinks ? 0 : AT_SYMLINK_NOFOLLOW)
        }
        guard let status = FileStatus(raw) else { throw SystemError(operation: "stat", subject: path, code: EBADMSG) }
        return status
    }

    /// What a descriptor leads to.
    ///
    /// - Throws: `SystemError` from `fstat`; EBADMSG for what is no file (an event descriptor, say).
    public static func status(of descriptor: borrowing Descriptor) throws(SystemError) -> FileStatus {
        var raw = stat()
        let number = descriptor.number
        _ = try retrying("fstat", "descriptor \(number)") { fstat(number, &raw) }
        guard let status = FileStatus(raw) else {
            throw SystemError(operation: "fstat", subject: "descriptor \(number)", code: EBADMSG)
        }
        return status
    }

    /// Which file a path leads to, symbolic links followed.
    ///
    /// - Throws: `SystemError` from `stat`.
    public static func identity(_ path: String) throws(SystemError) -> FileIdentity {
        try status(path).identity
    }

    /// Whether a file's data can be read and written without the kernel's cache (open(2), O_DIRECT).
    ///
    /// - Parameter path: of the file; it is opened for reading.
    /// - Returns: false also when it cannot be opened.
    public static func bypassesCache(_ path: String) -> Bool {
        do throws(SystemError) {
            _ = try Descriptor.open(path, flags: O_RDONLY | O_NONBLOCK | hf_o_direct)
            return true
        } catch {
            return false
        }
    }

    /// How many bytes an unprivileged user can still write on the file system that holds `path`.
    ///
    /// - Throws: `SystemError` from `statvfs`.
    public static func freeBytes(_ path: String) throws(SystemError) -> UInt64 {
        var raw = statvfs()
        _ = try retrying("statvfs", path) { statvfs(path, &raw) }
        let (bytes, overflow) = UInt64(raw.f_bavail).multipliedReportingOverflow(by: UInt64(raw.f_frsize))
        return overflow ? .max : bytes
    }
}
