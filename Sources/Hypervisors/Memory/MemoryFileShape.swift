/// Where what lies in a guest's memory file: first what makes it device DAX, then the guest's memory, then the proof.
///
/// ```
///   0            2 MiB                          2 MiB + memory        file size
///   │ info block │ the guest's memory           │ proof, and reserve  │
///                │◀────────── /dev/daxX.Y in each hypervisor ────────▶│
/// ```
///
/// The file's size is a multiple of 16 MiB: Linux counts regions of persistent memory so (`align` in
/// /sys/bus/nd/devices/regionN on x86), and ndctl refuses others. What is before and behind takes 4 MiB, rounding aside.
public struct MemoryFileShape: Sendable, Hashable {
    /// What device DAX is aligned to, in bytes: 2 MiB.
    public static let alignment: UInt64 = 2 << 20
    /// What the file's size is a multiple of, in bytes: 16 MiB.
    public static let regionAlignment: UInt64 = 16 << 20
    /// What stands before the guest's memory, in bytes: 2 MiB, of which the info block takes one page.
    public static let infoBlockSize: UInt64 = 2 << 20
    /// What stands behind the guest's memory at least, in bytes: 2 MiB, so that the proof shares no page with it.
    public static let tailSize: UInt64 = 2 << 20

    /// The guest's memory in bytes.
    public let memory: UInt64

    /// Makes the shape.
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
    /// Where the guest's memory begins in the file; it is the beginning of the DAX device.
    public var memoryOffsetInFile: UInt64 { Self.infoBlockSize }
    /// Where the proof begins in the file.
    public var proofOffsetInFile: UInt64 { Self.infoBlockSize + memory }
    /// Where the proof begins in the DAX device.
    public var proofOffsetInDevice: UInt64 { memory }

    private static func rounded(_ size: UInt64, to unit: UInt64) -> UInt64 { (size + unit - 1) / unit * unit }
}
