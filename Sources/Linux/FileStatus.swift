internal import CLinux
internal import Glibc

/// The result of stat(2).
public struct FileStatus: Sendable, Hashable {
    /// The type of a file.
    public enum Kind: Sendable, Hashable {
        /// A regular file.
        case regular
        /// A folder.
        case directory
        /// A symbolic link that was not followed.
        case symbolicLink
        /// A unix socket.
        case socket
        /// A character device, such as /dev/net/tun.
        case characterDevice
        /// A block device, such as a disk or a logical volume.
        case blockDevice
        /// A named pipe.
        case pipe
    }

    /// A time of a file.
    public struct Time: Sendable, Hashable {
        /// Seconds since 1970 in UTC.
        public let seconds: Int
        /// Nanoseconds within the second.
        public let nanoseconds: Int
    }

    /// The file's identity.
    public let identity: FileIdentity
    /// The file's type.
    public let kind: Kind
    /// Its length in bytes; 0 for devices.
    public let size: Int64
    /// The permission bits, 0 to 0o7777.
    public let mode: UInt32
    /// The owner.
    public let uid: UInt32
    /// The group.
    public let gid: UInt32
    /// When its content was last modified.
    public let modified: Time
    /// The number of hard links; 0 if it was removed.
    public let links: UInt64

    /// Converts the system call's result; nil for an unknown file type.
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
        modified = Time(seconds: raw.st_mtim.tv_sec, nanoseconds: raw.st_mtim.tv_nsec)
        links = UInt64(raw.st_nlink)
    }
}

/// Identifies a file independent of its names: paths or mappings with the same identity refer to the same bytes.
public struct FileIdentity: Sendable, Hashable, CustomStringConvertible {
    /// The device number as returned by stat(2).
    public let device: UInt64
    /// The inode number on that device.
    public let inode: UInt64

    /// Creates an identity from its parts.
    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    /// Creates an identity from the two parts of a device number.
    public init(major: UInt32, minor: UInt32, inode: UInt64) {
        self.init(device: hf_make_device(major, minor), inode: inode)
    }

    /// Both numbers in decimal: `device:inode`.
    public var description: String { "\(device):\(inode)" }
}
