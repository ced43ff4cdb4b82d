internal import CLinux
internal import Glibc

/// A file that only grows, by one write(2) for each piece, and that one writer at a time may hold.
///
/// The lock is an open file description lock (fcntl(2)): it ends with this object or with the process, however that ends.
public final class AppendFile: Sendable {
    private let file: Descriptor

    /// Where it was opened.
    public let path: String

    private init(_ file: consuming Descriptor, path: String) {
        self.file = file
        self.path = path
    }

    deinit {
        // A child between fork and execve may hold a copy of the descriptor for a moment, and the lock with it.
        _ = hf_unlock_file(file.number)
    }

    /// Makes a new file.
    ///
    /// - Parameters:
    ///   - path: of the file, which must not exist.
    ///   - mode: its permissions, narrowed by the umask.
    /// - Returns: the file, not locked.
    /// - Throws: `SystemError` from `open`; EEXIST.
    public static func create(_ path: String, mode: UInt32 = 0o600) throws(SystemError) -> AppendFile {
        let flags = O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW
        return AppendFile(try Descriptor.open(path, flags: flags, mode: mode), path: path)
    }

    /// Opens an existing regular file of ours.
    ///
    /// - Parameters:
    ///   - path: of the file; its last part must not be a symbolic link.
    ///   - forReading: whether to leave out the right to write.
    /// - Returns: the file, not locked.
    /// - Throws: `SystemError` from `open`; ELOOP for a link; EPERM when it is another user's or no regular file.
    public static func open(_ path: String, forReading: Bool = false) throws(SystemError) -> AppendFile {
        let access = forReading ? O_RDONLY : O_RDWR | O_APPEND
        let file = try Descriptor.open(path, flags: access | O_NOFOLLOW | O_NONBLOCK)
        let status = try Files.status(of: file)
        guard status.kind == .regular, status.uid == geteuid() else {
            throw SystemError(operation: "open", subject: path, code: EPERM, detail: "not a regular file of ours")
        }
        return AppendFile(file, path: path)
    }

    /// Becomes the only writer.
    ///
    /// - Returns: false when there is another one.
    /// - Throws: `SystemError` from `fcntl`.
    public func tryLock() throws(SystemError) -> Bool {
        do throws(SystemError) {
            _ = try retrying("fcntl", path) { hf_lock_file(file.number) }
            return true
        } catch  where error.code == EAGAIN || error.code == EACCES {
            return false
        }
    }

    /// Whether somebody else holds the lock.
    ///
    /// - Throws: `SystemError` from `fcntl`.
    public func isLockedByAnother() throws(SystemError) -> Bool {
        try retrying("fcntl", path) { hf_file_is_locked(file.number) } != 0
    }

    /// Its length in bytes.
    ///
    /// - Throws: `SystemError` from `fstat`.
    public func size() throws(SystemError) -> Int64 {
        try Files.status(of: file).size
    }

    /// Sets room aside, so that appending that much cannot fail for want of it.
    ///
    /// File systems without that are left alone.
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

    /// Puts bytes at the end with a single write(2).
    ///
    /// When only a part went in, or nothing, the file is cut back to what it was.
    /// - Throws: `SystemError` from `write`; ENOSPC or EDQUOT when there is no room, EIO when cutting back failed as well:
    ///   then a part is at the end of the file.
    public func append(_ bytes: [UInt8]) throws(SystemError) {
        let number = file.number
        while true {
            let (count, code) = bytes.withUnsafeBytes { (write(number, $0.baseAddress, $0.count), errno) }
            if count == bytes.count { return }
            if count < 0 && code == EINTR { continue }
            // A write that goes in only partly has met the end of the room (or of RLIMIT_FSIZE).
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

    /// Cuts the file off, and gives back the room that was set aside behind its end.
    ///
    /// - Throws: `SystemError` from `ftruncate`.
    public func truncate(to size: Int64) throws(SystemError) {
        _ = try retrying("ftruncate", path) { ftruncate(file.number, off_t(size)) }
    }

    /// All that it holds.
    ///
    /// - Throws: `SystemError` from `read`; EFBIG when it holds more than the limit.
    public func readAll(limit: Int) throws(SystemError) -> [UInt8] {
        _ = lseek(file.number, 0, Int32(SEEK_SET))
        return try Files.readAll(file, name: path, limit: limit)
    }
}
