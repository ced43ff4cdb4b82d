internal import CLinux
internal import Glibc
internal import Logging

extension Files {
    /// Puts a socket or file in the place of another one in the same folder, with the owner and permissions of that one.
    ///
    /// The folder is looked up once, so nobody can have the two names lead to different folders; what stands at the new name
    /// is held while it is looked at and changed, so no link planted there is followed.
    /// - Parameters:
    ///   - path: the name to take; what is there is replaced, a symbolic link itself and not what it leads to.
    ///   - temporary: what takes it, in the same folder: a socket or a regular file with one name.
    /// - Throws: `SystemError`; ENOENT when the new one is not there, EPERM when it is neither socket nor file, or has a second
    ///   name; from `rename`. That owner and permissions cannot be changed is no error.
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
                operation: "open", subject: temporary, code: EPERM, detail: "no socket or file of its own")
        }
        var old = stat()
        if fstatat(folderNumber, name, &old, AT_SYMLINK_NOFOLLOW) == 0, old.st_mode & S_IFMT != S_IFLNK {
            // A descriptor that only names a file is changed by way of /proc.
            let held = "/proc/self/fd/\(new.number)"
            _ = chown(held, old.st_uid, old.st_gid)
            _ = chmod(held, old.st_mode & 0o7777)
        }
        _ = try retrying("rename", path) { renameat(folderNumber, newName, folderNumber, name) }
        Logger.current.debug("renamed \(temporary) to \(path)")
    }

    /// Holds a file without opening it: nothing happens to it, whatever it is, and a link is not followed.
    ///
    /// - Parameter path: of the file.
    /// - Returns: a descriptor that names it, for `status(of:)` and for ``reopen(_:flags:)``.
    /// - Throws: `SystemError` from `open`.
    public static func hold(_ path: String) throws(SystemError) -> Descriptor {
        try Descriptor.open(path, flags: hf_o_path | O_NOFOLLOW)
    }

    /// Opens the very file that a descriptor leads to, whatever its name leads to by now.
    ///
    /// - Parameters:
    ///   - descriptor: of the file.
    ///   - flags: as for open(2); what they ask for is checked as ever.
    /// - Returns: another descriptor of it.
    /// - Throws: `SystemError` from `open`.
    public static func reopen(_ descriptor: borrowing Descriptor, flags: Int32) throws(SystemError) -> Descriptor {
        try Descriptor.open("/proc/self/fd/\(descriptor.number)", flags: flags)
    }

    private static func lastPart(of path: String) -> String {
        path.split(separator: "/").last.map(String.init) ?? path
    }
}
