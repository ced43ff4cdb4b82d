internal import Glibc

/// File operations: reads with a size limit, and atomic writes.
public enum Files {
    /// Reads a whole file.
    ///
    /// Also works for files in /proc, which have no size.
    ///
    /// - Parameters:
    ///   - path: the file's path; a symbolic link is followed.
    ///   - limit: the most bytes to read.
    /// - Returns: its bytes.
    /// - Throws: `SystemError` from `open` or `read`; EFBIG if the file is longer than the limit.
    public static func readAll(_ path: String, limit: Int = 16 << 20) throws(SystemError) -> [UInt8] {
        let file = try Descriptor.open(path, flags: O_RDONLY)
        return try readAll(file, name: path, limit: limit)
    }

    /// Reads an open file from its current position to its end.
    static func readAll(_ file: borrowing Descriptor, name: String, limit: Int) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        let number = file.number
        while true {
            var failure: Int32 = 0
            var count = 0
            let step = min(max(4096, bytes.count), 1 << 20)
            bytes += [UInt8](unsafeUninitializedCapacity: step) { room, filled in
                count = read(number, room.baseAddress, step)
                if count < 0 { failure = errno }
                filled = max(0, count)
            }
            if failure == EINTR { continue }
            if failure != 0 { throw SystemError(operation: "read", subject: name, code: failure) }
            if bytes.count > limit {
                throw SystemError(operation: "read", subject: name, code: EFBIG, detail: "more than \(limit) bytes")
            }
            if count == 0 { return bytes }
        }
    }

    /// Returns the target of a symbolic link, unresolved.
    ///
    /// - Throws: `SystemError` from `readlink`; EINVAL if it is no link, EILSEQ if the target is not UTF-8.
    public static func linkTarget(_ path: String) throws(SystemError) -> String {
        var capacity = 256
        while true {
            var count = 0
            var failure: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { room, filled in
                count = room.withMemoryRebound(to: CChar.self) { target in
                    target.baseAddress.map { readlink(path, $0, capacity) } ?? -1
                }
                if count < 0 { failure = errno }
                filled = max(0, count)
            }
            if count < 0 { throw SystemError(operation: "readlink", subject: path, code: failure) }
            if count < capacity {
                return try exactText(bytes[...], operation: "readlink", subject: path)
            }
            capacity *= 2
        }
    }
}

/// Converts bytes to text without repairing them: throws EILSEQ if they are not UTF-8.
func exactText(_ bytes: ArraySlice<UInt8>, operation: String, subject: String) throws(SystemError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw SystemError(operation: operation, subject: subject, code: EILSEQ, detail: "not UTF-8")
    }
    return text
}
