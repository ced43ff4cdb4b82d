internal import CLinux

/// Which file it is, whatever its names: two paths or mappings with the same identity are the same bytes.
public struct FileIdentity: Sendable, Hashable, CustomStringConvertible {
    /// The device number as stat(2) has it.
    public let device: UInt64
    /// The inode number on that device.
    public let inode: UInt64

    /// Makes an identity from its parts.
    public init(device: UInt64, inode: UInt64) {
        self.device = device
        self.inode = inode
    }

    /// Makes an identity from a device number in its two parts.
    public init(major: UInt32, minor: UInt32, inode: UInt64) {
        self.init(device: hf_make_device(major, minor), inode: inode)
    }

    /// Both in decimal: `device:inode`.
    public var description: String { "\(device):\(inode)" }
}
