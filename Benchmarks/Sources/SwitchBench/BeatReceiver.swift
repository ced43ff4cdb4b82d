import Foundation
import Glibc
import Linux
import Synchronization

/// A datagram of the canary.
struct Beat: Sendable {
    /// The time of its arrival in the host's kernel, in nanoseconds since 1970.
    let host: Int64
    /// Its number, from 1.
    let sequence: UInt64
    /// CLOCK_MONOTONIC inside the guest when it was sent, in nanoseconds.
    let guest: Int64

    /// The guest clock's lag behind the host's, plus a constant: it grows with every stop of the guest.
    var lag: Int64 { host - guest }
}

/// Receives the datagrams that the canary sends at every look at its clocks, about a millisecond apart.
final class BeatReceiver: Sendable {
    /// The UDP port on 127.0.0.1, which QEMU's user network reaches as 10.0.2.2.
    let port: UInt16

    private let socket: Int32
    private let beats = Mutex<[Beat]>([])

    init() throws(SystemError) {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw SystemError(operation: "socket", subject: "beats", code: errno) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        var yes: Int32 = 1
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(socket, address, length) == 0 && getsockname(socket, address, &length) == 0
            }
        }
        guard bound, setsockopt(socket, SOL_SOCKET, SO_TIMESTAMPNS, &yes, socklen_t(MemoryLayout<Int32>.size)) == 0
        else {
            let code = errno
            close(socket)
            throw SystemError(operation: "bind", subject: "beats", code: code)
        }
        self.socket = socket
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [weak self] in
            while let beat = Self.receive(from: socket) {
                guard let self else { break }
                self.beats.withLock { $0.append(beat) }
            }
            close(socket)
        }
    }

    deinit {
        // Wakes the thread, which then closes the socket.
        shutdown(socket, Int32(SHUT_RDWR))
    }

    /// The number of datagrams received.
    var count: Int { beats.withLock { $0.count } }

    /// Returns the datagrams from an index on.
    func all(from index: Int) -> [Beat] { beats.withLock { Array($0[min(max(index, 0), $0.count)...]) } }

    /// Waits for more datagrams.
    ///
    /// - Returns: Whether they arrived.
    func wait(for more: Int, within milliseconds: Int = 10_000) -> Bool {
        let goal = count + more
        for _ in 0..<milliseconds {
            if count >= goal { return true }
            Clock.sleep(milliseconds: 1)
        }
        return false
    }

    private static func receive(from socket: Int32) -> Beat? {
        var payload: (UInt64, UInt64) = (0, 0)
        var control: (Int64, Int64, Int64, Int64, Int64, Int64, Int64, Int64) = (0, 0, 0, 0, 0, 0, 0, 0)
        return withUnsafeMutableBytes(of: &payload) { bytes in
            withUnsafeMutableBytes(of: &control) { control in
                var vector = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &vector) { vector -> Beat? in
                    var message = msghdr()
                    message.msg_iov = vector
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = control.count
                    var received = recvmsg(socket, &message, 0)
                    while received < 0 && errno == EINTR { received = recvmsg(socket, &message, 0) }
                    // A control message consists of its length, level and type, and here of a timespec.
                    guard received == bytes.count, message.msg_controllen >= 32 else { return nil }
                    return Beat(
                        host: control.load(fromByteOffset: 16, as: Int64.self) * 1_000_000_000
                            + control.load(fromByteOffset: 24, as: Int64.self),
                        sequence: UInt64(bigEndian: bytes.load(as: UInt64.self)),
                        guest: Int64(bigEndian: bytes.load(fromByteOffset: 8, as: Int64.self))
                    )
                }
            }
        }
    }
}
