import Glibc
public import Linux
import Synchronization

/// A TCP connection that is read line by line; reads and writes block.
public final class TCPSocket: Sendable {
    private let number: Int32
    /// Bytes received after the last line.
    private let rest = Mutex<[UInt8]>([])

    /// Connects.
    ///
    /// - Parameters:
    ///   - address: An IPv4 address.
    ///   - port: The port.
    ///   - patience: The longest time for the connection, for a read or for a write, in seconds.
    /// - Throws: `SystemError`.
    public init(to address: String, port: UInt16, patience: Int) throws(SystemError) {
        let socket = Descriptor(adopting: Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        var patience = timeval(tv_sec: patience, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(socket.number, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        var yes: Int32 = 1
        setsockopt(socket.number, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_port = port.bigEndian
        guard inet_pton(AF_INET, address, &name.sin_addr) == 1 else {
            throw SystemError(operation: "inet_pton", subject: address, code: EINVAL)
        }
        let status = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket.number, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw SystemError(operation: "connect", subject: "\(address):\(port)", code: errno) }
        number = socket.release()
    }

    /// Sends a text.
    ///
    /// - Parameter text: The text.
    /// - Returns: Whether all of it was sent; otherwise `errno` is set.
    public func write(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return send(number, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    /// Waits for a line.
    ///
    /// - Returns: The line without its line break (LF or CR LF); `nil` if none arrives, and `errno` is set.
    public func readLine() -> String? {
        rest.withLock { rest in
            var room = [UInt8](repeating: 0, count: 4096)
            while true {
                if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    let line = rest[..<end].filter { $0 != UInt8(ascii: "\r") }
                    rest.removeSubrange(...end)
                    return String(decoding: line, as: UTF8.self)
                }
                errno = 0
                let count = recv(number, &room, room.count, 0)
                guard count > 0 else { return nil }
                rest += room[..<count]
            }
        }
    }

    /// Waits for a number of bytes.
    ///
    /// - Parameter count: The number of bytes.
    /// - Returns: The bytes; `nil` if they do not arrive.
    public func read(_ count: Int) -> [UInt8]? {
        rest.withLock { rest in
            var room = [UInt8](repeating: 0, count: 65_536)
            while rest.count < count {
                let received = recv(number, &room, room.count, 0)
                guard received > 0 else { return nil }
                rest += room[..<received]
            }
            defer { rest.removeSubrange(..<count) }
            return Array(rest[..<count])
        }
    }

    /// Closes the connection; do not use it afterwards.
    public func close() { Glibc.close(number) }
}
