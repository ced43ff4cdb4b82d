/// Where what lies in the file with a container's image store: first what makes it a pmem disk, then a file system.
///
/// ```
///   0            2 MiB                                     file size
///   │ info block │ ext4, mounted with DAX in one OS at a time │
///                │◀──────────── /dev/pmemN in each OS VM ────▶│
/// ```
///
/// The file's size is a multiple of 16 MiB, as that of a guest's memory (``MemoryFileShape``).
public struct StoreFileShape: Sendable, Hashable {
    /// The size of the file system's blocks in bytes: that of a page, without which ext4 refuses DAX.
    public static let blockSize: UInt64 = 4096

    /// The most memory of the container, in bytes.
    public let memory: UInt64

    /// Makes the shape.
    ///
    /// - Parameter memory: The most memory of the container in bytes, up to 2^62.
    public init(memory: UInt64) {
        self.memory = memory
    }

    /// The file's size in bytes.
    ///
    /// Twice the container's memory: a page that changes between dumps is in the images of both. And 64 MiB for all else
    /// that is dumped, and for the file system itself.
    public var fileSize: UInt64 {
        let unit = MemoryFileShape.regionAlignment
        return (2 * memory + (64 << 20) + unit - 1) / unit * unit
    }
    /// The size in bytes of the block device that an OS VM makes of the file.
    public var deviceSize: UInt64 { fileSize - MemoryFileShape.infoBlockSize }
    /// How many blocks the file system has.
    public var blocks: UInt64 { deviceSize / Self.blockSize }
}
