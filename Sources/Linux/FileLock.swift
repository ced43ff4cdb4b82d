internal import Glibc

/// An exclusive lock on a file (flock(2)), held until this value is destroyed or the process exits for any reason.
///
/// The lock leaves no trace in the file system. Programs started while it is held do not inherit it.
public struct FileLock: ~Copyable, Sendable {
    private let file: Descriptor

    /// The locked file.
    public let identity: FileIdentity

    private init(_ file: consuming Descriptor, identity: FileIdentity) {
        self.file = file
        self.identity = identity
    }

    deinit {
        // A child between fork and execve may briefly hold a copy of the descriptor, and with it the lock.
        _ = flock(file.number, LOCK_UN)
    }

    /// Locks an existing regular file.
    ///
    /// - Parameter path: the file's path; it is opened read-only, and its last component must not be a symbolic link.
    /// - Returns: the lock; nil if another process holds it.
    /// - Throws: `SystemError` from `open` (ELOOP for a link) or `flock`; EINVAL if it is no regular file.
    public static func tryAcquire(_ path: String) throws(SystemError) -> FileLock? {
        // O_NONBLOCK: opening a pipe would wait for its writer.
        let file = try Descriptor.open(path, flags: O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
        let status = try Files.status(of: file)
        guard status.kind == .regular else {
            throw SystemError(operation: "flock", subject: path, code: EINVAL, detail: "not a regular file")
        }
        let number = file.number
        do throws(SystemError) {
            _ = try retrying("flock", path) { flock(number, LOCK_EX | LOCK_NB) }
        } catch {
            if error.code == EWOULDBLOCK { return nil }
            throw error
        }
        return FileLock(file, identity: status.identity)
    }
}
