internal import CLinux
internal import Glibc

extension Files {
    /// Returns whether a path exists; a dangling symbolic link exists.
    public static func exists(_ path: String) -> Bool { (try? status(path, followingLinks: false)) != nil }

    /// Returns the status of a path.
    ///
    /// - Parameters:
    ///   - path: the path to examine.
    ///   - followingLinks: whether to follow a symbolic link.
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

    /// Returns the status of an open file.
    ///
    /// - Throws: `SystemError` from `fstat`; EBADMSG if it is no file (an event descriptor, for example).
    public static func status(of descriptor: borrowing Descriptor) throws(SystemError) -> FileStatus {
        var raw = stat()
        let number = descriptor.number
        _ = try retrying("fstat", "descriptor \(number)") { fstat(number, &raw) }
        guard let status = FileStatus(raw) else {
            throw SystemError(operation: "fstat", subject: "descriptor \(number)", code: EBADMSG)
        }
        return status
    }

    /// Returns the identity of the file at a path; follows symbolic links.
    ///
    /// - Throws: `SystemError` from `stat`.
    public static func identity(_ path: String) throws(SystemError) -> FileIdentity {
        try status(path).identity
    }

    /// Returns whether a file supports O_DIRECT (open(2)), which bypasses the page cache.
    ///
    /// - Parameter path: the file's path; it is opened for reading.
    /// - Returns: also false if it cannot be opened.
    public static func bypassesCache(_ path: String) -> Bool {
        do throws(SystemError) {
            _ = try Descriptor.open(path, flags: O_RDONLY | O_NONBLOCK | hf_o_direct)
            return true
        } catch {
            return false
        }
    }

    /// Returns the number of bytes that an unprivileged user can still write to the file system of `path`.
    ///
    /// - Throws: `SystemError` from `statvfs`.
    public static func freeBytes(_ path: String) throws(SystemError) -> UInt64 {
        var raw = statvfs()
        _ = try retrying("statvfs", path) { statvfs(path, &raw) }
        let (bytes, overflow) = UInt64(raw.f_bavail).multipliedReportingOverflow(by: UInt64(raw.f_frsize))
        return overflow ? .max : bytes
    }
}
