internal import Glibc

/// What stat(2) tells of a file.
public struct FileStatus: Sendable, Hashable {
    /// What kind of file it is.
    public enum Kind: Sendable, Hashable {
        /// Plain bytes.
        case regular
        /// A folder.
        case directory
        /// A symbolic link, which was not followed.
        case symbolicLink
        /// A unix socket.
        case socket
        /// A device of bytes, such as /dev/net/tun.
        case characterDevice
        /// A device of blocks: a disk, a logical volume.
        case blockDevice
        /// A named pipe.
        case pipe
    }

    /// Which file.
    public let identity: FileIdentity
    /// What kind of file.
    public let kind: Kind
    /// Its length in bytes; 0 for devices.
    public let size: Int64
    /// The permission bits, 0 to 0o7777.
    public let mode: UInt32
    /// The owner.
    public let uid: UInt32
    /// The group.
    public let gid: UInt32
    /// How many names it has; 0 when it was removed.
    public let links: UInt64

    /// Takes over what the system call filled in; nil for a kind of file that does not exist on Linux.
    init?(_ raw: stat) {
        switch raw.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFDIR: kind = .directory
        case S_IFLNK: kind = .symbolicLink
        case S_IFSOCK: kind = .socket
        case S_IFCHR: kind = .characterDevice
        case S_IFBLK: kind = .blockDevice
        case S_IFIFO: kind = .pipe
        default: return nil
        }
        identity = FileIdentity(device: UInt64(raw.st_dev), inode: UInt64(raw.st_ino))
        size = Int64(raw.st_size)
        mode = raw.st_mode & 0o7777
        uid = raw.st_uid
        gid = raw.st_gid
        links = UInt64(raw.st_nlink)
    }
}
