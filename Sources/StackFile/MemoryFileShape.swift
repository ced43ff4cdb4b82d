/// The layout of a guest's memory file: first the info block that makes it a DAX device, then the guest's memory, then
/// the proof.
///
/// ```
///   0            2 MiB                          2 MiB + memory        file size
///   │ info block │ the guest's memory           │ proof, and reserve  │
///                │◀────────── /dev/daxX.Y in each hypervisor ────────▶│
/// ```
///
/// The file's size is a multiple of 16 MiB: Linux aligns regions of persistent memory to it (`align` in
/// /sys/bus/nd/devices/regionN on x86), and ndctl refuses other sizes. Info block and proof take 4 MiB, plus rounding.
public struct MemoryFileShape: Sendable, Hashable {
    /// The alignment of DAX devices, in bytes: 2 MiB.
    public static let alignment: UInt64 = 2 << 20
    /// The alignment of the file's size, in bytes: 16 MiB.
    public static let regionAlignment: UInt64 = 16 << 20
    /// The size of the area before the guest's memory, in bytes: 2 MiB; the info block uses one page of it.
    public static let infoBlockSize: UInt64 = 2 << 20
    /// The least size of the area behind the guest's memory, in bytes: 2 MiB, so that the proof shares no page with it.
    public static let tailSize: UInt64 = 2 << 20

    /// The guest's memory in bytes.
    public let memory: UInt64

    /// Computes the layout.
    ///
    /// - Parameter memory: The guest's memory in bytes, up to 2^62; rounded up to 2 MiB.
    public init(memory: UInt64) {
        self.memory = Self.rounded(memory, to: Self.alignment)
    }

    /// The file's size in bytes.
    public var fileSize: UInt64 {
        Self.rounded(Self.infoBlockSize + memory + Self.tailSize, to: Self.regionAlignment)
    }
    /// The size in bytes of the DAX device that a hypervisor makes of the file.
    public var deviceSize: UInt64 { fileSize - Self.infoBlockSize }
    /// The offset of the guest's memory in the file; it is the start of the DAX device.
    public var memoryOffsetInFile: UInt64 { Self.infoBlockSize }
    /// The offset of the proof in the file.
    public var proofOffsetInFile: UInt64 { Self.infoBlockSize + memory }
    /// The offset of the proof in the DAX device.
    public var proofOffsetInDevice: UInt64 { memory }

    private static func rounded(_ size: UInt64, to unit: UInt64) -> UInt64 { (size + unit - 1) / unit * unit }
}

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
