internal import Glibc

/// A listening TCP socket of a network namespace, as listed in /proc/net/tcp and tcp6.
public struct TCPListener: Sendable, Hashable {
    /// Its inode; a process's descriptor shows it as `socket:[INODE]`.
    public let inode: UInt64
    /// The numeric address: `0.0.0.0`, `127.0.0.1`, `::`.
    public let address: String
    /// The port.
    public let port: UInt16

    /// Parses /proc/net/tcp or tcp6; ignores lines that do not match proc(5) and sockets that do not listen.
    static func parse(_ text: String) -> [TCPListener] {
        text.split(separator: "\n").dropFirst().compactMap { line in
            let columns = line.split(separator: " ", omittingEmptySubsequences: true)
            // TCP_LISTEN is 0A.
            guard columns.count >= 10, columns[3] == "0A", let inode = UInt64(columns[9]) else { return nil }
            let parts = columns[1].split(separator: ":")
            guard parts.count == 2, let port = UInt16(parts[1], radix: 16), let address = address(parts[0]) else {
                return nil
            }
            return TCPListener(inode: inode, address: address, port: port)
        }
    }

    /// Converts an address: the kernel prints each 32-bit word of it as a number in host byte order.
    private static func address(_ text: Substring) -> String? {
        let digits = Array(text)
        guard digits.count == 8 || digits.count == 32 else { return nil }
        var words: [UInt32] = []
        for start in stride(from: 0, to: digits.count, by: 8) {
            guard let word = UInt32(String(digits[start..<(start + 8)]), radix: 16) else { return nil }
            words.append(word)
        }
        let family = words.count == 1 ? AF_INET : AF_INET6
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { room in
            guard let base = room.baseAddress else { return nil }
            guard inet_ntop(family, words, base, socklen_t(room.count)) != nil else { return nil }
            return String(cString: base)
        }
    }
}
