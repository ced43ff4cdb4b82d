/// Where what lies in a guest's memory file: first what makes it device DAX, then the guest's memory, then the proof.
///
/// ```
///   0            2 MiB                          2 MiB + memory        file size
///   │ info block │ the guest's memory           │ proof and reserve   │
///                │◀────────── /dev/daxX.Y in each hypervisor ────────▶│
/// ```
///
/// The info block is written once by `ndctl create-namespace -m devdax -M mem` in the first hypervisor and read by each
/// other one. With `-M mem` it takes the first 2 MiB, because that is the device's alignment.
public struct MemoryFileShape: Sendable, Hashable {
    /// What device DAX is aligned to, in bytes: 2 MiB.
    public static let alignment: UInt64 = 2 << 20
    /// What stands before the guest's memory, in bytes: 2 MiB.
    public static let infoBlockSize: UInt64 = 2 << 20
    /// What stands behind the guest's memory, in bytes: 2 MiB.
    public static let tailSize: UInt64 = 2 << 20

    /// The guest's memory in bytes.
    public let memory: UInt64

    /// Makes the shape.
    ///
    /// - Parameter memory: The guest's memory in bytes; rounded up to 2 MiB.
    public init(memory: UInt64) {
        self.memory = (memory + Self.alignment - 1) / Self.alignment * Self.alignment
    }

    /// The file's size in bytes.
    public var fileSize: UInt64 { Self.infoBlockSize + deviceSize }
    /// The size in bytes of the DAX device that a hypervisor makes of the file.
    public var deviceSize: UInt64 { memory + Self.tailSize }
    /// Where the guest's memory begins in the file.
    public var memoryOffsetInFile: UInt64 { Self.infoBlockSize }
    /// Where the guest's memory begins in the DAX device.
    public var memoryOffsetInDevice: UInt64 { 0 }
    /// Where the proof begins in the file.
    public var proofOffsetInFile: UInt64 { Self.infoBlockSize + memory }
    /// Where the proof begins in the DAX device.
    public var proofOffsetInDevice: UInt64 { memory }
}

extension HyperplexorSpec.HugePages {
    /// The page size that a memory file has to be a multiple of, in bytes.
    public var size: UInt64 {
        switch self {
        case .none: 4096
        case .transparent, .twoMiB: 2 << 20
        case .oneGiB: 1 << 30
        }
    }
}
