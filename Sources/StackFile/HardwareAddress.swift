internal import Linux

/// Hardware addresses of network cards.
enum HardwareAddress {
    /// Returns the address of a guest's card for which the stack file names none; it depends on these names only.
    ///
    /// 52:54:00 is locally administered and the usual prefix of QEMU guests.
    static func derived(stack: String, guest: String, index: Int) -> String {
        text(prefix: [0x52, 0x54, 0x00], of: "guest/\(stack)/\(guest)/\(index)")
    }

    /// Returns the address of a hypervisor's own card.
    ///
    /// Its prefix differs from that of guests' derived addresses, so that the two never collide.
    static func derived(instance: String, network: String) -> String {
        text(prefix: [0x52, 0x54, 0x01], of: "instance/\(instance)/\(network)")
    }

    /// Returns the address of this host's taps on a bridge.
    ///
    /// The first byte is the highest that is locally administered and no group address.
    static func derived(bridge: String) -> String { text(prefix: [0xfe, 0x54, 0x00], of: "bridge/\(bridge)") }

    /// Returns the address in lower case with colons; `nil` if the text is no address of a single card.
    static func normalized(_ text: String) -> String? {
        let parts = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "-" }
        let bytes = parts.compactMap { $0.utf8.count == 2 ? UInt8($0, radix: 16) : nil }
        // The lowest bit of the first byte marks a group address.
        guard parts.count == 6, bytes.count == 6, bytes[0] & 1 == 0, bytes.contains(where: { $0 != 0 }) else {
            return nil
        }
        return parts.joined(separator: ":").lowercased()
    }

    private static func text(prefix: [UInt8], of name: String) -> String {
        let hash = StableHash.value(of: name)
        let bytes =
            prefix + [UInt8(truncatingIfNeeded: hash >> 40), UInt8(truncatingIfNeeded: hash >> 24)]
            + [UInt8(truncatingIfNeeded: hash >> 8)]
        return bytes.map { $0.hexadecimal(digits: 2) }.joined(separator: ":")
    }
}

/// A hash of a text that is the same in every run and version: 64-bit FNV-1a with a final mixing step.
///
/// Swift's own hash differs between runs. See G. Fowler, L. C. Noll, K.-P. Vo, RFC 9923.
enum StableHash {
    static func value(of text: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash ^= hash >> 32
        return hash &* 0x9e37_79b9_7f4a_7c15
    }
}
