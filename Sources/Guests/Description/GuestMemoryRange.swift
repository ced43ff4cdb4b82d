/// Where a part of a memory backend lies in the guest's physical address space.
public struct GuestMemoryRange: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The backend's id.
    public var backend: String
    /// The guest-physical address of the first byte.
    public var address: UInt64
    /// The offset of that byte in the backend, in bytes.
    public var offset: UInt64
    /// In bytes.
    public var size: UInt64

    /// Creates a range; does not check that the backend is that large.
    ///
    /// - Parameters:
    ///   - backend: the backend's id.
    ///   - address: the guest-physical address of the first byte.
    ///   - offset: the offset of that byte in the backend, in bytes.
    ///   - size: in bytes.
    public init(backend: String, address: UInt64, offset: UInt64, size: UInt64) {
        self.backend = backend
        self.address = address
        self.offset = offset
        self.size = size
    }

    /// Orders by guest-physical address.
    public static func < (left: GuestMemoryRange, right: GuestMemoryRange) -> Bool {
        (left.address, left.offset, left.size, left.backend) < (right.address, right.offset, right.size, right.backend)
    }

    /// The range as text, such as `ram0+0x0 at 0x100000000, 2147483648 bytes`.
    public var description: String {
        "\(backend)+0x\(String(offset, radix: 16)) at 0x\(String(address, radix: 16)), \(size) bytes"
    }
}
