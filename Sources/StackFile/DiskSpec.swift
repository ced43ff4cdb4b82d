/// A disk of a guest: a file or block device of this host.
public struct DiskSpec: Sendable, Hashable {
    /// The format of the disk image.
    public enum Format: String, Sendable, Hashable, CaseIterable {
        /// A raw image.
        case raw
        /// A qcow2 image; the guest's QEMU interprets it, this host's never does.
        case qcow2
    }

    /// Its name: unique within its guest.
    public var name: String
    /// The file or block device on this host.
    public var path: String
    /// The format of the image.
    public var format: Format
    /// Whether the guest has read-only access.
    public var isReadOnly: Bool

    /// Describes a disk.
    ///
    /// - Parameters:
    ///   - name: Unique within its guest.
    ///   - path: The file or block device on this host.
    ///   - format: The format of the image.
    ///   - isReadOnly: Whether the guest has read-only access.
    public init(name: String, path: String, format: Format, isReadOnly: Bool) {
        self.name = name
        self.path = path
        self.format = format
        self.isReadOnly = isReadOnly
    }
}
