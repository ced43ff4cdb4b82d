internal import Glibc
internal import Linux

/// The results of stat(2) that the checks of guests use.
struct FileFacts: Hashable {
    /// Identifies the file regardless of its name: the device and inode, and the modification time.
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

    /// Returns the facts of the file at the path, following symbolic links; nil if there is none or it is not
    /// accessible.
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

    /// Whether users other than root and the current user can modify the file, or replace files in the directory.
    var isWritableByOthers: Bool {
        if owner != 0 && owner != geteuid() { return true }
        let isSticky = isFolder && mode & S_ISVTX != 0
        if isSticky { return false }
        return mode & 0o002 != 0 || (mode & 0o020 != 0 && group != 0 && group != getegid())
    }
}
