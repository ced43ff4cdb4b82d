internal import CLinux
internal import Glibc
internal import Logging

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
        let folder = try Descriptor.open(parent(of: path), flags: hf_o_path | O_DIRECTORY)
        let folderNumber = folder.number
        let (name, newName) = (lastPart(of: path), lastPart(of: temporary))
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

    private static func lastPart(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }
}
