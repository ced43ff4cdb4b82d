import Glibc
public import Linux
import Synchronization

/// A TCP connection that is read line by line; writes and reads wait.
public final class TCPSocket: Sendable {
    private let number: Int32
    /// What was read beyond the last line.
    private let rest = Mutex<[UInt8]>([])

    /// Connects.
    ///
    /// - Parameters:
    ///   - address: An IPv4 address.
    ///   - port: The port.
    ///   - patience: How long a read, a write or the connection itself may take, in seconds.
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
    /// - Returns: Whether all of it was taken; `errno` says why not.
    public func write(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return send(number, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    }

    /// Waits for a line.
    ///
    /// - Returns: The line without its end, a carriage return included; `nil` when there is none, and `errno` says why.
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

    /// Waits for so many bytes.
    ///
    /// - Parameter count: How many.
    /// - Returns: The bytes; `nil` when they do not come.
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

    /// Ends the connection; it is not to be used any more.
    public func close() { Glibc.close(number) }
}
