internal import Linux
package import StackFile

/// The block in front of a memory file that makes it a DAX device, or a block device for a file system with DAX.
///
/// It is the block that `ndctl create-namespace -m devdax -M mem` (or `fsdax`) would write inside a hypervisor. Each
/// hypervisor that gets the file finds the block and makes a /dev/daxX.Y (or /dev/pmemN) of the rest. It keeps the page
/// structures in its own memory (`map=mem`): in the file, two kernels would overwrite each other's. The layout is
/// `struct nd_pfn_sb` and the checksum `nd_fletcher64` of Linux, drivers/nvdimm/pfn.h and core.c; numbers are
/// little-endian.
package struct DAXInfoBlock: Sendable, Hashable {
    /// The kind of device that a hypervisor makes of the file.
    package enum Kind: Sendable, Hashable {
        /// A character device, /dev/daxX.Y: plain memory.
        case deviceDAX
        /// A block device, /dev/pmemN; its file system can map its pages into programs.
        case fileSystemDAX

        /// The signature by which Linux tells the kinds apart.
        var signature: String {
            switch self {
            case .deviceDAX: "NVDIMM_DAX_INFO\0"
            case .fileSystemDAX: "NVDIMM_PFN_INFO\0"
            }
        }
    }

    /// The block's offset in the file, in bytes.
    package static let offset: UInt64 = 4096
    /// The block's size in bytes.
    package static let size = 4096

    /// The UUID by which each hypervisor identifies this file: /sys/bus/nd/devices/daxX.Y/uuid (or pfnX.Y).
    package let identity: UniqueID
    /// The block's content, to be written at ``offset``.
    package let bytes: [UInt8]

    /// Creates the block for a guest's memory file.
    ///
    /// - Parameters:
    ///   - shape: The file's layout.
    ///   - identity: The UUID by which hypervisors identify the file.
    package init(_ shape: MemoryFileShape, identity: UniqueID) {
        self.init(.deviceDAX, deviceSize: shape.deviceSize, identity: identity)
    }

    /// Creates the block for an image store file.
    ///
    /// - Parameters:
    ///   - shape: The file's layout.
    ///   - identity: The UUID by which OS VMs identify the file.
    package init(_ shape: StoreFileShape, identity: UniqueID) {
        self.init(.fileSystemDAX, deviceSize: shape.deviceSize, identity: identity)
    }

    private init(_ kind: Kind, deviceSize: UInt64, identity: UniqueID) {
        var block = [UInt8]()
        block += Array(kind.signature.utf8)
        block += identity.bytes
        // The parent's uuid: zero for a namespace without labels.
        block += [UInt8](repeating: 0, count: 16)
        block += Self.littleEndian(UInt32(0))  // flags
        block += Self.littleEndian(UInt16(1)) + Self.littleEndian(UInt16(4))  // version 1.4
        block += Self.littleEndian(MemoryFileShape.infoBlockSize)  // offset of the data
        block += Self.littleEndian(deviceSize / 4096)  // number of pages
        block += Self.littleEndian(UInt32(1))  // page structures are not in the file
        block += Self.littleEndian(UInt32(0)) + Self.littleEndian(UInt32(0))  // nothing cut off at start and end
        block += Self.littleEndian(UInt32(MemoryFileShape.alignment))
        block += Self.littleEndian(UInt32(4096)) + Self.littleEndian(UInt16(64))  // sizes of a page and its structure
        block += [UInt8](repeating: 0, count: Self.size - 8 - block.count)
        bytes = block + Self.littleEndian(Self.checksum(of: block + [UInt8](repeating: 0, count: 8)))
        self.identity = identity
    }

    /// Computes Fletcher's checksum over 32-bit words.
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

/// A UUID (RFC 9562).
package struct UniqueID: Sendable, Hashable, CustomStringConvertible {
    /// Its 16 bytes, in the order of the text form.
    package let bytes: [UInt8]

    /// Creates a random UUID (version 4).
    package init() {
        var generator = SystemRandomNumberGenerator()
        var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        bytes[6] = bytes[6] & 0x0f | 0x40
        bytes[8] = bytes[8] & 0x3f | 0x80
        self.bytes = bytes
    }

    /// Parses a UUID; the result is `nil` if the text is none.
    ///
    /// - Parameter text: A text such as `0b7d4ae2-9c1f-4a53-8e6d-2f1b5c3a7e90`.
    package init?(_ text: String) {
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        guard groups.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
        let digits = groups.joined().utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
        guard !digits.contains(nil) else { return nil }
        let values = digits.compactMap(\.self)
        bytes = stride(from: 0, to: 32, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }

    /// Its text form: 32 hexadecimal digits in five groups, in lower case.
    package var description: String {
        let digits = bytes.map { $0.hexadecimal(digits: 2) }
        return [0..<4, 4..<6, 6..<8, 8..<10, 10..<16].map { digits[$0].joined() }.joined(separator: "-")
    }
}
