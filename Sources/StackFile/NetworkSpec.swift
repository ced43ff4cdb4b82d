internal import Glibc
internal import Linux

/// A network that guests join through their hypervisors.
public struct NetworkSpec: Sendable, Hashable {
    /// The network's implementation on this host.
    public enum Kind: Sendable, Hashable {
        /// An existing bridge of this host; each hypervisor gets a tap on it.
        case bridge(String)
        /// A segment between the hypervisors of one user: UDP multicast on the loopback interface, which needs no
        /// privileges.
        ///
        /// This host is not connected to it.
        case segment(group: String, port: Int)
    }

    /// Its name within the stack.
    public var name: String
    /// Its implementation.
    public var kind: Kind
    /// The number of queue pairs of each hypervisor's network card.
    public var queues: Int
    /// Whether the host's kernel processes the packets of the hypervisors' cards (`vhost=on`); bridges only.
    public var usesVhost: Bool
}

/// An IPv4 or IPv6 address, as parsed by inet_pton(3).
public struct InternetAddress: Hashable {
    /// Its bytes, four or sixteen, in network byte order.
    public let bytes: [UInt8]

    /// Parses an address without prefix length or zone; the result is `nil` if the text is none.
    public init?(_ text: String) {
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
    public var width: Int { bytes.count * 8 }

    /// Whether it can be the address of one interface: not unspecified, multicast or loopback.
    public var isOfOneInterface: Bool {
        guard width == 128 else { return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224 }
        return bytes[0] != 0xff && bytes.dropLast().contains { $0 != 0 }
    }

    /// Whether it is link-local (fe80::/10, RFC 4291).
    public var isLinkLocal: Bool { width == 128 && bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 }

    /// Returns whether its first `length` bits equal those of the other address.
    public func shares(_ length: Int, bitsWith other: InternetAddress) -> Bool {
        guard width == other.width else { return false }
        return bytes.indices.allSatisfy { index in
            let bits = min(max(length - index * 8, 0), 8)
            return (bytes[index] ^ other.bytes[index]) >> (8 - bits) == 0
        }
    }

    /// Its text, as formatted by inet_ntop(3).
    public var text: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { room in
            guard let base = room.baseAddress,
                inet_ntop(width == 32 ? AF_INET : AF_INET6, bytes, base, socklen_t(room.count)) != nil
            else { return "" }
            return String(cString: base)
        }
    }
}

/// Hardware addresses of network cards.
public enum HardwareAddress {
    /// Returns the address of a guest's card for which the stack file names none; it depends on these names only.
    ///
    /// 52:54:00 is locally administered and the usual prefix of QEMU guests.
    public static func derived(stack: String, guest: String, index: Int) -> String {
        text(prefix: [0x52, 0x54, 0x00], of: "guest/\(stack)/\(guest)/\(index)")
    }

    /// Returns the address of a hypervisor's own card.
    ///
    /// Its prefix differs from that of guests' derived addresses, so that the two never collide.
    public static func derived(instance: String, network: String) -> String {
        text(prefix: [0x52, 0x54, 0x01], of: "instance/\(instance)/\(network)")
    }

    /// Returns the address of this host's taps on a bridge.
    ///
    /// The first byte is the highest that is locally administered and no group address.
    public static func derived(bridge: String) -> String { text(prefix: [0xfe, 0x54, 0x00], of: "bridge/\(bridge)") }

    /// Returns the address in lower case with colons; `nil` if the text is no address of a single card.
    public static func normalized(_ text: String) -> String? {
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
package enum StableHash {
    package static func value(of text: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        hash ^= hash >> 32
        return hash &* 0x9e37_79b9_7f4a_7c15
    }
}
