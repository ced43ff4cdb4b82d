/// A disk of a guest: a file or block device of this host.
public struct DiskSpec: Sendable, Hashable {
    /// How the guest's data is laid out in it.
    public enum Format: String, Sendable, Hashable, CaseIterable {
        /// As it is.
        case raw
        /// QEMU's format, interpreted by the guest's QEMU, never by this host's.
        case qcow2
    }

    /// Its name: unique within its guest.
    public var name: String
    /// The file or block device on this host.
    public var path: String
    /// How the data is laid out.
    public var format: Format
    /// Whether the guest may only read it.
    public var isReadOnly: Bool

    /// Describes a disk.
    ///
    /// - Parameters:
    ///   - name: Unique within its guest.
    ///   - path: The file or block device on this host.
    ///   - format: How the data is laid out.
    ///   - isReadOnly: Whether the guest may only read it.
    public init(name: String, path: String, format: Format, isReadOnly: Bool) {
        self.name = name
        self.path = path
        self.format = format
        self.isReadOnly = isReadOnly
    }
}
