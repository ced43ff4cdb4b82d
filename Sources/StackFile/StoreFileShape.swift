/// The layout of a container's image store file: first the info block that makes it a pmem block device, then a file
/// system.
///
/// ```
///   0            2 MiB                                     file size
///   │ info block │ ext4, mounted with DAX in one OS at a time │
///                │◀──────────── /dev/pmemN in each OS VM ────▶│
/// ```
///
/// The file's size is a multiple of 16 MiB, like that of a guest's memory file (``MemoryFileShape``).
public struct StoreFileShape: Sendable, Hashable {
    /// The file system's block size in bytes: the page size, as ext4 requires for DAX.
    public static let blockSize: UInt64 = 4096

    /// The container's memory limit, in bytes.
    public let memory: UInt64

    /// Computes the layout.
    ///
    /// - Parameter memory: The container's memory limit in bytes, up to 2^62.
    public init(memory: UInt64) {
        self.memory = memory
    }

    /// The file's size in bytes.
    ///
    /// Twice the container's memory, because both dumps contain a page that changes between them; plus 64 MiB for the
    /// rest of the dumps and the file system's metadata.
    public var fileSize: UInt64 {
        let unit = MemoryFileShape.regionAlignment
        return (2 * memory + (64 << 20) + unit - 1) / unit * unit
    }
    /// The size in bytes of the block device that an OS VM makes of the file.
    public var deviceSize: UInt64 { fileSize - MemoryFileShape.infoBlockSize }
    /// The number of blocks of the file system.
    public var blocks: UInt64 { deviceSize / Self.blockSize }
}
