internal import CLinux
internal import Glibc

/// A file that only grows, by one write(2) per record, and that only one writer at a time can lock.
///
/// The lock is an open file description lock (fcntl(2)): the kernel releases it when this object is destroyed or the
/// process exits for any reason.
public final class AppendFile: Sendable {
    private let file: Descriptor

    /// The path at which it was opened.
    public let path: String

    private init(_ file: consuming Descriptor, path: String) {
        self.file = file
        self.path = path
    }

    deinit {
        // A child between fork and execve may briefly hold a copy of the descriptor, and with it the lock.
        _ = hf_unlock_file(file.number)
    }

    /// Creates a new file.
    ///
    /// - Parameters:
    ///   - path: the file's path; it must not exist.
    ///   - mode: its permissions, masked by the umask.
    /// - Returns: the file, not locked.
    /// - Throws: `SystemError` from `open`; EEXIST if the path exists.
    public static func create(_ path: String, mode: UInt32 = 0o600) throws(SystemError) -> AppendFile {
        let flags = O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW
        return AppendFile(try Descriptor.open(path, flags: flags, mode: mode), path: path)
    }

    /// Opens an existing regular file that belongs to this user.
    ///
    /// - Parameters:
    ///   - path: the file's path; its last component must not be a symbolic link.
    ///   - forReading: whether to open it read-only.
    /// - Returns: the file, not locked.
    /// - Throws: `SystemError` from `open`; ELOOP for a link; EPERM if it belongs to another user or is no regular
    ///   file.
    public static func open(_ path: String, forReading: Bool = false) throws(SystemError) -> AppendFile {
        let access = forReading ? O_RDONLY : O_RDWR | O_APPEND
        let file = try Descriptor.open(path, flags: access | O_NOFOLLOW | O_NONBLOCK)
        let status = try Files.status(of: file)
        guard status.kind == .regular, status.uid == geteuid() else {
            throw SystemError(
                operation: "open", subject: path, code: EPERM, detail: "not a regular file that belongs to this user")
        }
        return AppendFile(file, path: path)
    }

    /// Tries to become the only writer.
    ///
    /// - Returns: false if another writer holds the lock.
    /// - Throws: `SystemError` from `fcntl`.
    public func tryLock() throws(SystemError) -> Bool {
        do throws(SystemError) {
            _ = try retrying("fcntl", path) { hf_lock_file(file.number) }
            return true
        } catch  where error.code == EAGAIN || error.code == EACCES {
            return false
        }
    }

    /// Returns whether another process holds the lock.
    ///
    /// - Throws: `SystemError` from `fcntl`.
    public func isLockedByAnother() throws(SystemError) -> Bool {
        try retrying("fcntl", path) { hf_file_is_locked(file.number) } != 0
    }

    /// Returns its length in bytes.
    ///
    /// - Throws: `SystemError` from `fstat`.
    public func size() throws(SystemError) -> Int64 {
        try Files.status(of: file).size
    }

    /// Reserves disk space, so that appending that many bytes cannot fail for lack of space.
    ///
    /// Does nothing on file systems that do not support it.
    ///
    /// - Throws: `SystemError` from `fallocate`; ENOSPC or EDQUOT.
    public func reserve(_ bytes: Int64) throws(SystemError) {
        let end = try size()
        do throws(SystemError) {
            _ = try retrying("fallocate", path) { hf_reserve(file.number, end, bytes) }
        } catch  where error.code == EOPNOTSUPP || error.code == ENOSYS {
            return
        }
    }

    /// Appends bytes with a single write(2).
    ///
    /// After a partial write, the file is truncated to its previous length.
    ///
    /// - Throws: `SystemError` from `write`: ENOSPC or EDQUOT if there is no space; EIO if the truncation failed as
    ///   well, so that the file ends with a partial record.
    public func append(_ bytes: [UInt8]) throws(SystemError) {
        let number = file.number
        while true {
            let (count, code) = bytes.withUnsafeBytes { (write(number, $0.baseAddress, $0.count), errno) }
            if count == bytes.count { return }
            if count < 0 && code == EINTR { continue }
            // A partial write means that the space (or RLIMIT_FSIZE) is exhausted.
            let failure = SystemError(operation: "write", subject: path, code: count < 0 ? code : ENOSPC)
            guard count > 0 else { throw failure }
            do throws(SystemError) {
                try truncate(to: size() - Int64(count))
            } catch {
                throw SystemError(operation: "write", subject: path, code: EIO, detail: "\(failure), then \(error)")
            }
            throw failure
        }
    }

    /// Truncates the file and releases the space that was reserved behind its end.
    ///
    /// - Throws: `SystemError` from `ftruncate`.
    public func truncate(to size: Int64) throws(SystemError) {
        _ = try retrying("ftruncate", path) { ftruncate(file.number, off_t(size)) }
    }

    /// Reads the whole file.
    ///
    /// - Throws: `SystemError` from `read`; EFBIG if it is longer than the limit.
    public func readAll(limit: Int) throws(SystemError) -> [UInt8] {
        _ = lseek(file.number, 0, Int32(SEEK_SET))
        return try Files.readAll(file, name: path, limit: limit)
    }
}
