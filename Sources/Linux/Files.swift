internal import CLinux
internal import Glibc
internal import Logging
internal import Synchronization

/// File operations: reads with a size limit, and atomic writes.
public enum Files {
    /// Reads a whole file.
    ///
    /// Also works for files in /proc, which have no size.
    ///
    /// - Parameters:
    ///   - path: the file's path; a symbolic link is followed.
    ///   - limit: the most bytes to read.
    /// - Returns: its bytes.
    /// - Throws: `SystemError` from `open` or `read`; EFBIG if the file is longer than the limit.
    public static func readAll(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
        let file = try Descriptor.open(path, flags: O_RDONLY)
        return try readAll(file, name: path, limit: limit)
    }

    /// Reads an open file from its current position to its end.
    static func readAll(_ file: borrowing Descriptor, name: String, limit: Int) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        let number = file.number
        while true {
            var failure: Int32 = 0
            var count = 0
            let step = min(max(4096, bytes.count), 1 << 20)
            bytes += [UInt8](unsafeUninitializedCapacity: step) { room, filled in
                count = read(number, room.baseAddress, step)
                if count < 0 { failure = errno }
                filled = max(0, count)
            }
            if failure == EINTR { continue }
            if failure != 0 { throw SystemError(operation: "read", subject: name, code: failure) }
            if bytes.count > limit {
                throw SystemError(operation: "read", subject: name, code: EFBIG, detail: "more than \(limit) bytes")
            }
            if count == 0 { return bytes }
        }
    }

    /// Returns the target of a symbolic link, unresolved.
    ///
    /// - Throws: `SystemError` from `readlink`; EINVAL if it is no link, EILSEQ if the target is not UTF-8.
    public static func linkTarget(_ path: String) throws(SystemError) -> String {
        var capacity = 256
        while true {
            var count = 0
            var failure: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { room, filled in
                count = room.withMemoryRebound(to: CChar.self) { target in
                    target.baseAddress.map { readlink(path, $0, capacity) } ?? -1
                }
                if count < 0 { failure = errno }
                filled = max(0, count)
            }
            if count < 0 { throw SystemError(operation: "readlink", subject: path, code: failure) }
            if count < capacity {
                return try exactText(bytes[...], operation: "readlink", subject: path)
            }
            capacity *= 2
        }
    }
}

/// Converts bytes to text without repairing them: throws EILSEQ if they are not UTF-8.
func exactText(_ bytes: ArraySlice<UInt8>, operation: String, subject: String) throws(SystemError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw SystemError(operation: operation, subject: subject, code: EILSEQ, detail: "not UTF-8")
    }
    return text
}

// MARK: - Status

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

// MARK: - Writing

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
        let folder = Paths.parent(of: path)
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
        let folder = Paths.parent(of: path)
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
}

// MARK: - Renaming

extension Files {
    /// Renames a socket or file over another one in the same folder and gives it that one's owner and permissions.
    ///
    /// The folder is opened once, so the two names cannot lead to different folders. The new file is held open while it
    /// is checked and changed, so a link planted at its name is not followed.
    ///
    /// - Parameters:
    ///   - path: the name to replace; a symbolic link there is replaced, not followed.
    ///   - temporary: the replacement, in the same folder: a socket or a regular file with a single name.
    /// - Throws: `SystemError`: ENOENT if the replacement does not exist; EPERM if it is neither socket nor regular
    ///   file, or has a second name; errors of `rename`. Failing to change owner or permissions is no error.
    public static func replace(_ path: String, with temporary: String) throws(SystemError) {
        let folder = try Descriptor.open(Paths.parent(of: path), flags: hf_o_path | O_DIRECTORY)
        let folderNumber = folder.number
        let (name, newName) = (Paths.name(of: path), Paths.name(of: temporary))
        let new = Descriptor(
            adopting: try retrying("open", temporary) {
                openat(folderNumber, newName, hf_o_path | O_NOFOLLOW | O_CLOEXEC)
            })
        let status = try status(of: new)
        guard status.kind == .socket || status.kind == .regular, status.links == 1 else {
            throw SystemError(
                operation: "open", subject: temporary, code: EPERM,
                detail: "not a socket or regular file with a single name")
        }
        var old = stat()
        if fstatat(folderNumber, name, &old, AT_SYMLINK_NOFOLLOW) == 0, old.st_mode & S_IFMT != S_IFLNK {
            // chown and chmod through /proc, because an O_PATH descriptor does not allow fchown and fchmod.
            let held = "/proc/self/fd/\(new.number)"
            _ = chown(held, old.st_uid, old.st_gid)
            _ = chmod(held, old.st_mode & 0o7777)
        }
        _ = try retrying("rename", path) { renameat(folderNumber, newName, folderNumber, name) }
        Logger.current.debug("renamed \(temporary) to \(path)")
    }

    /// Returns an O_PATH descriptor of a file: the file is not opened, and a link is not followed.
    ///
    /// - Parameter path: the file's path.
    /// - Returns: the descriptor, for `status(of:)` and ``reopen(_:flags:)``.
    /// - Throws: `SystemError` from `open`.
    public static func hold(_ path: String) throws(SystemError) -> Descriptor {
        try Descriptor.open(path, flags: hf_o_path | O_NOFOLLOW)
    }

    /// Opens the file of a descriptor again, even if its name leads to another file by now.
    ///
    /// - Parameters:
    ///   - descriptor: a descriptor of the file.
    ///   - flags: open(2) flags; the usual permission checks apply.
    /// - Returns: a new descriptor of the file.
    /// - Throws: `SystemError` from `open`.
    public static func reopen(_ descriptor: borrowing Descriptor, flags: Int32) throws(SystemError) -> Descriptor {
        try Descriptor.open("/proc/self/fd/\(descriptor.number)", flags: flags)
    }
}

// MARK: - Mapped

extension Files {
    /// Frees the memory or disk space of a part of a file, which then reads as zeros; the file's size does not change.
    ///
    /// - Parameters:
    ///   - range: The bytes to free.
    ///   - file: The file, open for writing, on a file system that supports holes.
    ///   - name: The file's name in errors.
    /// - Throws: `SystemError` from fallocate(2).
    public static func punchHole(
        _ range: Range<Int64>, in file: borrowing Descriptor, name: String
    ) throws(SystemError) {
        guard hf_punch_hole(file.number, range.lowerBound, Int64(range.count)) == 0 else {
            throw SystemError(operation: "fallocate", subject: name, code: errno)
        }
    }

    /// Writes bytes into a file through a mapping: a hugetlbfs refuses write(2).
    ///
    /// - Parameters:
    ///   - bytes: the bytes to write; they must fit into the file and into the mapped part.
    ///   - file: the file, open for reading and writing.
    ///   - offset: the offset in bytes.
    ///   - mapped: the number of bytes to map from the file's start; a multiple of the file system's page size.
    ///   - name: the file's name in errors.
    /// - Throws: `SystemError` from `mmap`; EFBIG if the bytes do not fit into the mapped part.
    public static func writeMapped(
        _ bytes: [UInt8], to file: borrowing Descriptor, at offset: Int, mapped: Int, name: String
    ) throws(SystemError) {
        guard offset >= 0, offset <= mapped - bytes.count else {
            throw SystemError(operation: "mmap", subject: name, code: EFBIG)
        }
        let memory = mmap(nil, mapped, PROT_READ | PROT_WRITE, MAP_SHARED, file.number, 0)
        guard let memory, memory != MAP_FAILED else { throw SystemError.last("mmap", name) }
        defer { munmap(memory, mapped) }
        memory.advanced(by: offset).copyMemory(from: bytes, byteCount: bytes.count)
    }
}
