import Glibc
import Linux

/// A minimal QMP connection: one blocking socket, and lines that are searched for words.
///
/// It relies on QEMU's exact output format; use it only to measure the minimum.
final class RawMonitor {
    private let stream: UnixStream
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    private var begin = 0
    private var end = 0

    /// Connects as soon as a process listens, and negotiates capabilities.
    init(path: String) throws {
        stream = try Self.connect(path)
        _ = try line(containing: "\"QMP\"")
        try execute(#"{"execute":"qmp_capabilities"}"#)
    }

    deinit { buffer.deallocate() }

    /// The socket, for poll(2).
    var number: Int32 { stream.number }

    /// Sends a command.
    func send(_ command: String, descriptors: [Int32] = []) throws {
        var command = command
        try command.withUTF8 { text in
            if descriptors.isEmpty {
                guard Glibc.send(stream.number, text.baseAddress, text.count, Int32(MSG_NOSIGNAL)) == text.count
                else { throw SystemError(operation: "send", subject: "QMP", code: errno) }
            } else {
                try stream.send(Array(text), descriptors: descriptors)
            }
        }
    }

    /// Sends a command and waits for its reply.
    func execute(_ command: String, descriptors: [Int32] = []) throws {
        try send(command, descriptors: descriptors)
        while true {
            let line = try line(containing: "\"")
            if line.has("\"return\"") { return }
            if line.has("\"error\"") { throw BenchError("\(command): \(String(decoding: line, as: UTF8.self))") }
        }
    }

    /// Waits for a line that contains a word, and skips all lines before it.
    func line(containing word: StaticString) throws -> UnsafeRawBufferPointer {
        while true {
            while let line = nextLine() { if line.has(word) { return line } }
            try receive()
        }
    }

    /// Returns the next complete line that has been received; valid until the next ``receive()``.
    func nextLine() -> UnsafeRawBufferPointer? {
        guard let start = buffer.baseAddress, end > begin,
            let newline = memchr(start + begin, 10, end - begin)
        else { return nil }
        let length = UnsafeRawPointer(newline) - UnsafeRawPointer(start + begin)
        defer { begin += length + 1 }
        return UnsafeRawBufferPointer(start: start + begin, count: length)
    }

    /// Waits for data.
    func receive() throws {
        guard let start = buffer.baseAddress else { return }
        memmove(start, start + begin, end - begin)
        end -= begin
        begin = 0
        var count = recv(stream.number, start + end, buffer.count - end, 0)
        while count < 0 && errno == EINTR { count = recv(stream.number, start + end, buffer.count - end, 0) }
        guard count > 0 else {
            throw SystemError(operation: "recv", subject: "QMP", code: count == 0 ? ECONNRESET : errno)
        }
        end += count
    }

    private static func connect(_ path: String) throws -> UnixStream {
        for _ in 0..<30_000 {
            if let stream = try? UnixStream.connect(path: path) { return stream }
            Clock.sleep(milliseconds: 1)
        }
        throw BenchError("no process listens at \(path)")
    }
}

extension UnsafeRawBufferPointer {
    /// Returns whether the line contains a word.
    func has(_ word: StaticString) -> Bool {
        guard var place = baseAddress else { return false }
        let end = place + count
        while end - place >= word.utf8CodeUnitCount,
            let found = memchr(place, Int32(word.utf8Start[0]), end - place - word.utf8CodeUnitCount + 1)
        {
            if memcmp(found, word.utf8Start, word.utf8CodeUnitCount) == 0 { return true }
            place = UnsafeRawPointer(found) + 1
        }
        return false
    }

    /// The time of the event on this line, in microseconds since 1970, from the two numbers of its timestamp.
    var eventTime: Int64 {
        var numbers: [Int64] = []
        var isInNumber = false
        for byte in self {
            if byte >= 48 && byte <= 57 {
                if !isInNumber { numbers.append(0) }
                numbers[numbers.count - 1] = numbers[numbers.count - 1] * 10 + Int64(byte - 48)
                isInNumber = true
            } else {
                if isInNumber && numbers.count == 2 { break }
                isInNumber = false
            }
        }
        return numbers.count == 2 ? numbers[0] * 1_000_000 + numbers[1] : 0
    }
}
