internal import Glibc
internal import Logging
internal import Synchronization

extension Files {
    /// Tells apart the temporary files that this process makes at the same time.
    private static let temporaryCount = Atomic<UInt32>(0)

    /// Writes a file so that readers find the old bytes or the new ones, never a part.
    ///
    /// The bytes go to a new file beside it, which is then renamed over it; a symbolic link at `path` is replaced, not followed.
    /// - Parameters:
    ///   - path: of the file.
    ///   - bytes: all that it is to hold.
    ///   - mode: its permissions, whatever the umask.
    ///   - durable: whether it is on the disk, name and all, when this returns (fsync(2) of file and folder).
    /// - Throws: `SystemError` from the call that failed; the file is then as it was, and no temporary one is left.
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
            // EEXIST: somebody else's file is in the way, which is not ours to remove.
            if error.operation != "open" { unlink(temporary) }
            throw error
        }
        if durable { try synchronizeFolder(of: path) }
        Logger.current.debug("wrote \(path)")
    }

    /// Gives a file a second name.
    ///
    /// - Parameters:
    ///   - path: of the file.
    ///   - name: the new path, which must not exist.
    /// - Throws: `SystemError` from `link`; EEXIST.
    public static func link(_ path: String, as name: String) throws(SystemError) {
        _ = try retrying("link", name) { Glibc.link(path, name) }
    }

    /// Writes all the bytes where the descriptor stands.
    ///
    /// - Parameters:
    ///   - bytes: what to write.
    ///   - file: open for writing.
    ///   - name: how errors call the file.
    /// - Throws: `SystemError` from `write`; ENOSPC and EDQUOT when there is no room. A part may be written then.
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

    /// Makes the names in the folder that holds `path` durable.
    ///
    /// - Throws: `SystemError` from `open` or `fsync`.
    public static func synchronizeFolder(of path: String) throws(SystemError) {
        let folder = parent(of: path)
        let descriptor = try Descriptor.open(folder, flags: O_RDONLY | O_DIRECTORY)
        let number = descriptor.number
        _ = try retrying("fsync", folder) { fsync(number) }
    }

    /// Makes a folder that only its owner can use, or makes sure that an existing one is like that.
    ///
    /// The folder above has to exist, and nobody but root and us may be able to rename what is in it.
    /// - Parameters:
    ///   - path: of the folder; it must not be a symbolic link.
    ///   - mode: its permissions; an existing folder must not allow more.
    /// - Throws: `SystemError` from `mkdir` or `stat`; ENOTDIR for a link or a file; EPERM when the owner or the permissions
    ///   are not ours, with a detail that says which.
    public static func createDirectory(_ path: String, mode: UInt32 = 0o700) throws(SystemError) {
        try verifyParent(of: path)
        if mkdir(path, mode) == 0 {
            Logger.current.debug("created \(path)")
        } else if errno != EEXIST {
            throw .last("mkdir", path)
        }
        try verifyDirectory(path, mode: mode)
    }

    /// Makes sure that a folder is ours alone.
    ///
    /// - Parameters:
    ///   - path: of the folder; it must not be a symbolic link.
    ///   - mode: the most that its permissions may allow.
    /// - Throws: `SystemError` from `stat`; ENOTDIR for a link or a file; EPERM when the owner or the permissions are not as
    ///   they have to be, with a detail that says which.
    public static func verifyDirectory(_ path: String, mode: UInt32 = 0o700) throws(SystemError) {
        let status = try status(path, followingLinks: false)
        func refusal(_ code: Int32, _ detail: String) -> SystemError {
            SystemError(operation: "open", subject: path, code: code, detail: detail)
        }
        guard status.kind == .directory else { throw refusal(ENOTDIR, "it is there, and no folder of its own") }
        guard status.uid == geteuid() else { throw refusal(EPERM, "it belongs to user \(status.uid)") }
        guard status.mode & 0o777 & ~mode == 0 else {
            throw refusal(EPERM, "its mode is \(String(status.mode, radix: 8)), more than \(String(mode, radix: 8))")
        }
    }

    /// Makes sure that nobody but root and us could put something else where a folder is, or is to be made.
    ///
    /// - Parameter path: of the folder.
    /// - Throws: `SystemError` from `stat`; EPERM, with a detail that says whose the folder above is.
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
