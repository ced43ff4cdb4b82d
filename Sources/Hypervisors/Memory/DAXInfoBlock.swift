/// What makes a memory file device DAX, or a disk for a file system with DAX: one block at its beginning, and nothing else.
///
/// It is what `ndctl create-namespace -m devdax -M mem` (or `fsdax`) would write from within a hypervisor. Each hypervisor
/// that is given the file finds the block and makes a /dev/daxX.Y (or /dev/pmemN) of what follows it, with the page structures
/// in its own memory (`map=mem`): in the file, those of two kernels would overwrite each other. The layout is `struct nd_pfn_sb` and the
/// checksum `nd_fletcher64` of Linux, drivers/nvdimm/pfn.h and core.c; numbers are little-endian.
public struct DAXInfoBlock: Sendable, Hashable {
    /// What a hypervisor makes of the file.
    public enum Kind: Sendable, Hashable {
        /// A character device, /dev/daxX.Y: its bytes are memory, and nothing else.
        case deviceDAX
        /// A block device, /dev/pmemN, whose file system may map its pages into programs.
        case fileSystemDAX

        /// The words by which Linux tells one from the other.
        var signature: String {
            switch self {
            case .deviceDAX: "NVDIMM_DAX_INFO\0"
            case .fileSystemDAX: "NVDIMM_PFN_INFO\0"
            }
        }
    }

    /// Where it stands in the file, in bytes.
    public static let offset: UInt64 = 4096
    /// Its size in bytes.
    public static let size = 4096

    /// By which each hypervisor tells this file from others: /sys/bus/nd/devices/daxX.Y/uuid (or pfnX.Y).
    public let identity: UniqueID
    /// The bytes that stand at ``offset``.
    public let bytes: [UInt8]

    /// Makes the block of a guest's memory file.
    ///
    /// - Parameters:
    ///   - shape: The file's shape.
    ///   - identity: By which hypervisors tell the file from others.
    public init(_ shape: MemoryFileShape, identity: UniqueID) {
        self.init(.deviceDAX, deviceSize: shape.deviceSize, identity: identity)
    }

    /// Makes the block of a file with an image store.
    ///
    /// - Parameters:
    ///   - shape: The file's shape.
    ///   - identity: By which OS VMs tell the file from others.
    public init(_ shape: StoreFileShape, identity: UniqueID) {
        self.init(.fileSystemDAX, deviceSize: shape.deviceSize, identity: identity)
    }

    private init(_ kind: Kind, deviceSize: UInt64, identity: UniqueID) {
        var block = [UInt8]()
        block += Array(kind.signature.utf8)
        block += identity.bytes
        // The parent's uuid: a namespace without labels has none.
        block += [UInt8](repeating: 0, count: 16)
        block += Self.littleEndian(UInt32(0))  // flags
        block += Self.littleEndian(UInt16(1)) + Self.littleEndian(UInt16(4))  // version 1.4
        block += Self.littleEndian(MemoryFileShape.infoBlockSize)  // where the data begins
        block += Self.littleEndian(deviceSize / 4096)  // how many pages it has
        block += Self.littleEndian(UInt32(1))  // page structures are not in the file
        block += Self.littleEndian(UInt32(0)) + Self.littleEndian(UInt32(0))  // nothing cut off at begin and end
        block += Self.littleEndian(UInt32(MemoryFileShape.alignment))
        block += Self.littleEndian(UInt32(4096)) + Self.littleEndian(UInt16(64))  // sizes of a page and its structure
        block += [UInt8](repeating: 0, count: Self.size - 8 - block.count)
        bytes = block + Self.littleEndian(Self.checksum(of: block + [UInt8](repeating: 0, count: 8)))
        self.identity = identity
    }

    /// Fletcher's checksum over words of 32 bits.
    private static func checksum(of bytes: [UInt8]) -> UInt64 {
        var low: UInt32 = 0
        var high: UInt32 = 0
        for start in stride(from: 0, to: bytes.count, by: 4) {
            let word = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) }
            low &+= word
            high &+= low
        }
        return UInt64(high) << 32 | UInt64(low)
    }

    private static func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }
}
