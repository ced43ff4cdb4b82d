internal import Glibc
internal import Linux

extension FileStatus {
    /// A file's content, regardless of its name: the file, and when it was last modified.
    struct Version: Hashable {
        let identity: FileIdentity
        let modified: FileStatus.Time
    }

    /// Returns the status of the file at the path, following symbolic links; nil if there is none or it is not
    /// accessible.
    static func at(_ path: String) -> FileStatus? {
        // A file that cannot be inspected counts as missing.
        try? Files.status(path)
    }

    var version: Version { Version(identity: identity, modified: modified) }
    var isFolder: Bool { kind == .directory }
    var isRegular: Bool { kind == .regular }
    var isExecutable: Bool { isRegular && mode & 0o111 != 0 }

    /// Whether users other than root and the current user can modify the file, or replace files in the directory.
    var isWritableByOthers: Bool {
        if uid != 0 && uid != geteuid() { return true }
        let isSticky = isFolder && mode & S_ISVTX != 0
        if isSticky { return false }
        return mode & 0o002 != 0 || (mode & 0o020 != 0 && gid != 0 && gid != getegid())
    }
}
