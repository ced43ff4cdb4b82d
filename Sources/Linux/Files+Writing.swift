internal import Glibc
internal import Logging
internal import Synchronization

extension Files {
    /// Distinguishes temporary files that this process creates concurrently.
    private static let temporaryCount = Atomic<UInt32>(0)

    /// Replaces a file's content atomically: readers see the old bytes or the new ones, never a mixture.
    ///
    /// The bytes go to a temporary file in the same folder, which is then renamed to `path`; a symbolic link at `path`
    /// is replaced, not followed.
    ///
    /// - Parameters:
    ///   - path: the file's path.
    ///   - bytes: the new content.
    ///   - mode: its permissions, regardless of the umask.
    ///   - durable: whether to fsync(2) file and folder before returning.
    /// - Throws: `SystemError` from the call that failed; the file is then unchanged, and no temporary file is left.
    public static func replaceAtomically(
        _ path: String, bytes: [UInt8], mode: UInt32 = 0o600, durable: Bool = false
    ) throws(SystemError) {
        let count = temporaryCount.wrappingAdd(1, ordering: .relaxed).newValue
        let temporary = "\(path).tmp-\(getpid())-\(count)"
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW
        do throws(SystemError) {
            let file = try Descriptor.open(temporary, flags: flags, mode: 0o600)
            let number = file.number
            try write(bytes, to: file, name: temporary)
            _ = try retrying("fchmod", temporary) { fchmod(number, mode) }
            if durable { _ = try retrying("fsync", temporary) { fsync(number) } }
            _ = try retrying("rename", path) { rename(temporary, path) }
        } catch {
            // EEXIST: another process's file has the temporary name; do not remove it.
            if error.operation != "open" { unlink(temporary) }
            throw error
        }
        if durable { try synchronizeFolder(of: path) }
        Logger.current.debug("wrote \(path)")
    }

    /// Gives a file a second name.
    ///
    /// - Parameters:
    ///   - path: the file's path.
    ///   - name: the new path; it must not exist.
    /// - Throws: `SystemError` from `link`; EEXIST if the new path exists.
    public static func link(_ path: String, as name: String) throws(SystemError) {
        _ = try retrying("link", name) { Glibc.link(path, name) }
    }

    /// Writes all bytes at the descriptor's position.
    ///
    /// - Parameters:
    ///   - bytes: the bytes to write.
    ///   - file: the file, open for writing.
    ///   - name: the file's name in errors.
    /// - Throws: `SystemError` from `write`; ENOSPC and EDQUOT if there is no space. Some bytes may have been written
    ///   then.
    public static func write(_ bytes: [UInt8], to file: borrowing Descriptor, name: String) throws(SystemError) {
        let number = file.number
        var done = 0
        while done < bytes.count {
            let (count, code) = bytes.withUnsafeBytes { buffer in
                let count = Glibc.write(number, buffer.baseAddress.map { $0 + done }, buffer.count - done)
                return (count, errno)
            }
            if count >= 0 {
                done += count
            } else if code != EINTR {
                throw SystemError(operation: "write", subject: name, code: code)
            }
        }
    }

    /// Makes the directory entries in the folder of `path` durable (fsync(2)).
    ///
    /// - Throws: `SystemError` from `open` or `fsync`.
    public static func synchronizeFolder(of path: String) throws(SystemError) {
        let folder = parent(of: path)
        let descriptor = try Descriptor.open(folder, flags: O_RDONLY | O_DIRECTORY)
        let number = descriptor.number
        _ = try retrying("fsync", folder) { fsync(number) }
    }

    /// Creates a folder that only its owner can use, or verifies that an existing one is private.
    ///
    /// The parent folder must exist, and only root and this user may be able to rename its entries.
    ///
    /// - Parameters:
    ///   - path: the folder's path; it must not be a symbolic link.
    ///   - mode: its permissions; an existing folder must not allow more.
    /// - Throws: `SystemError` from `mkdir` or `stat`; ENOTDIR for a link or a file; EPERM with a detail if owner or
    ///   permissions are wrong.
    public static func createDirectory(_ path: String, mode: UInt32 = 0o700) throws(SystemError) {
        try verifyParent(of: path)
        if mkdir(path, mode) == 0 {
            Logger.current.debug("created \(path)")
        } else if errno != EEXIST {
            throw .last("mkdir", path)
        }
        try verifyDirectory(path, mode: mode)
    }

    /// Verifies that a folder is private to this user.
    ///
    /// - Parameters:
    ///   - path: the folder's path; it must not be a symbolic link.
    ///   - mode: the most that its permissions may allow.
    /// - Throws: `SystemError` from `stat`; ENOTDIR for a link or a file; EPERM with a detail if owner or permissions
    ///   are wrong.
    public static func verifyDirectory(_ path: String, mode: UInt32 = 0o700) throws(SystemError) {
        let status = try status(path, followingLinks: false)
        func refusal(_ code: Int32, _ detail: String) -> SystemError {
            SystemError(operation: "open", subject: path, code: code, detail: detail)
        }
        guard status.kind == .directory else { throw refusal(ENOTDIR, "it exists and is not a folder") }
        guard status.uid == geteuid() else { throw refusal(EPERM, "it belongs to user \(status.uid)") }
        guard status.mode & 0o777 & ~mode == 0 else {
            throw refusal(EPERM, "its mode is \(String(status.mode, radix: 8)), more than \(String(mode, radix: 8))")
        }
    }

    /// Verifies that only root and this user can replace a folder, existing or yet to be created.
    ///
    /// - Parameter path: the folder's path.
    /// - Throws: `SystemError` from `stat`; EPERM with a detail that names the owner of the parent folder.
    public static func verifyParent(of path: String) throws(SystemError) {
        let folder = parent(of: path)
        let status = try status(folder)
        let isOurs = status.uid == 0 || status.uid == geteuid()
        let isShared = status.mode & 0o022 != 0
        let isSticky = status.mode & 0o1000 != 0
        if isOurs && (!isShared || isSticky) { return }
        throw SystemError(
            operation: "mkdir", subject: path, code: EPERM,
            detail: "others could replace it: \(folder) belongs to user \(status.uid), "
                + "mode \(String(status.mode, radix: 8))"
        )
    }

    static func parent(of path: String) -> String {
        var trimmed = path[...]
        while trimmed.count > 1 && trimmed.hasSuffix("/") { trimmed.removeLast() }
        guard let slash = trimmed.lastIndex(of: "/") else { return "." }
        return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
    }
}
