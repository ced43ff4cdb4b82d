/// The checksum of iSCSI and ext4 (RFC 3720, appendix B.4): every burst of up to 32 flipped bits is seen.
struct CRC32C {
    private(set) var value: UInt32

    /// Begins anew, or goes on from a checksum.
    init(continuing value: UInt32 = 0) {
        self.value = value
    }

    mutating func update(_ bytes: some Sequence<UInt8>) {
        var register = ~value
        for byte in bytes {
            register = register >> 8 ^ Self.table[Int(UInt8(truncatingIfNeeded: register) ^ byte)]
        }
        value = ~register
    }

    private static let table: [UInt32] = (0..<256).map { index in
        // The polynomial 0x1EDC6F41 with its bits reversed.
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }
}
