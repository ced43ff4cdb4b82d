internal import Glibc
internal import Linux

/// What stat(2) says of a file, as far as guests are judged by it.
struct FileFacts: Hashable {
    /// The file itself, whatever its name: the device and inode, and when its content changed last.
    struct Key: Hashable {
        let device: UInt64
        let inode: UInt64
        let modifiedSeconds: Int
        let modifiedNanoseconds: Int
    }

    let key: Key
    /// In bytes.
    let size: Int64
    /// The type and the permission bits, see inode(7).
    let mode: UInt32
    let owner: UInt32
    let group: UInt32

    /// What stands at the path, symbolic links followed; nil when there is nothing, or nothing that we may see.
    static func at(_ path: String) -> FileFacts? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileFacts(status)
    }

    private init(_ status: stat) {
        key = Key(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino),
            modifiedSeconds: status.st_mtim.tv_sec, modifiedNanoseconds: status.st_mtim.tv_nsec)
        size = Int64(status.st_size)
        mode = status.st_mode
        owner = status.st_uid
        group = status.st_gid
    }

    var identity: FileIdentity { FileIdentity(device: key.device, inode: key.inode) }

    var isFolder: Bool { mode & S_IFMT == S_IFDIR }
    var isRegular: Bool { mode & S_IFMT == S_IFREG }
    var isExecutable: Bool { isRegular && mode & 0o111 != 0 }

    /// Whether somebody besides root and us may change it, or replace what is in it.
    var isWritableByOthers: Bool {
        if owner != 0 && owner != geteuid() { return true }
        let isSticky = isFolder && mode & S_ISVTX != 0
        if isSticky { return false }
        return mode & 0o002 != 0 || (mode & 0o020 != 0 && group != 0 && group != getegid())
    }
}

/// Which files this process may execute in its own name.
enum ProgramTrust {
    /// Whether nobody but root and us can have put this program there: neither the file nor a folder on the way to it
    /// is in other hands.
    ///
    /// A guest's owner chooses the binary that their QEMU runs; an administrator's tool must not run it as root.
    static func isOurs(_ path: String) -> Bool {
        guard let resolved = Paths.resolved(path), let file = FileFacts.at(resolved), !file.isWritableByOthers else {
            return false
        }
        var folder = resolved
        while let slash = folder.lastIndex(of: "/"), slash > folder.startIndex {
            folder = String(folder[..<slash])
            guard let facts = FileFacts.at(folder), !facts.isWritableByOthers else { return false }
        }
        return true
    }
}

/// Paths of this host.
enum Paths {
    /// The path without symbolic links, `.` and `..`; nil when it leads nowhere.
    static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(validatingCString: resolved)
    }
}
