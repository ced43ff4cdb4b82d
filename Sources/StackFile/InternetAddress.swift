internal import Glibc

/// An IPv4 or IPv6 address, as parsed by inet_pton(3).
struct InternetAddress: Hashable {
    /// Its bytes, four or sixteen, in network byte order.
    let bytes: [UInt8]

    /// Parses an address without prefix length or zone; the result is `nil` if the text is none.
    init?(_ text: String) {
        // inet_pton would stop at a zero byte.
        guard !text.utf8.contains(0) else { return nil }
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            guard inet_pton(family, text, &bytes) == 1 else { continue }
            self.bytes = bytes
            return
        }
        return nil
    }

    /// Its length in bits: 32 or 128.
    var width: Int { bytes.count * 8 }

    /// Whether it can be the address of one interface: not unspecified, multicast or loopback.
    var isOfOneInterface: Bool {
        guard width == 128 else { return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224 }
        return bytes[0] != 0xff && bytes.dropLast().contains { $0 != 0 }
    }

    /// Whether it is link-local (fe80::/10, RFC 4291).
    var isLinkLocal: Bool { width == 128 && bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 }

    /// Returns whether its first `length` bits equal those of the other address.
    func shares(_ length: Int, bitsWith other: InternetAddress) -> Bool {
        guard width == other.width else { return false }
        return bytes.indices.allSatisfy { index in
            let bits = min(max(length - index * 8, 0), 8)
            return (bytes[index] ^ other.bytes[index]) >> (8 - bits) == 0
        }
    }

    /// Its text, as formatted by inet_ntop(3).
    var text: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { room in
            guard let base = room.baseAddress,
                inet_ntop(width == 32 ? AF_INET : AF_INET6, bytes, base, socklen_t(room.count)) != nil
            else { return "" }
            return String(cString: base)
        }
    }
}
