internal import CLinux

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
