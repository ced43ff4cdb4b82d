/// One line of /proc/PID/maps, see proc(5).
public struct MemoryMapping: Sendable, Hashable {
    /// The first address.
    public let start: UInt64
    /// The address after the last one.
    public let end: UInt64
    /// The permissions as the kernel prints them: `rw-s`.
    public let permissions: String
    /// The offset in the file, in bytes.
    public let offset: UInt64
    /// The device of the file; (0, 0) for anonymous memory.
    public let device: Device
    /// The inode of the file; 0 for anonymous memory.
    public let inode: UInt64
    /// The file without the suffix ` (deleted)`, a pseudo-path such as `[heap]`, or empty.
    public let path: String
    /// Whether the file was removed, or never had a name in a folder (memfd).
    public let isDeleted: Bool

    /// The two parts of a device number.
    public struct Device: Sendable, Hashable {
        /// The driver's number.
        public let major: UInt32
        /// The device's number within the driver.
        public let minor: UInt32
    }

    /// Whether writes reach the file (QEMU's `share=on`).
    public var isShared: Bool { permissions.last == "s" }

    /// Its length in bytes.
    public var length: UInt64 { end - start }

    /// The mapped file; compare it with that of other mappings only, because stat(2) returns another device number on
    /// file systems that span several devices.
    public var identity: FileIdentity { FileIdentity(major: device.major, minor: device.minor, inode: inode) }

    /// Parses a whole /proc/PID/maps; ignores lines that do not match proc(5).
    ///
    /// It works on bytes for speed: finding a file's users takes reading all processes of a host.
    static func parse(_ bytes: [UInt8]) -> [MemoryMapping] {
        var mappings: [MemoryMapping] = []
        var start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            var columns = Columns(bytes: bytes, index: start, end: end)
            if let mapping = MemoryMapping(parsing: &columns) { mappings.append(mapping) }
            start = end + 1
        }
        return mappings
    }

    /// Parses one line; nil if it does not match proc(5).
    private init?(parsing columns: inout Columns) {
        guard
            let start = columns.number(radix: 16), columns.skip("-"), let end = columns.number(radix: 16), start <= end,
            columns.skipSpaces(), let permissions = columns.text(count: 4),
            columns.skipSpaces(), let offset = columns.number(radix: 16),
            columns.skipSpaces(), let major = columns.number(radix: 16).flatMap(UInt32.init(exactly:)),
            columns.skip(":"), let minor = columns.number(radix: 16).flatMap(UInt32.init(exactly:)),
            columns.skipSpaces(), let inode = columns.number(radix: 10), columns.skipSpaces() || columns.isAtEnd
        else { return nil }
        self.start = start
        self.end = end
        self.permissions = permissions
        self.offset = offset
        device = Device(major: major, minor: minor)
        self.inode = inode
        let link = ExecutableLink(parsing: columns.rest)
        path = link.path
        isDeleted = link.isDeleted
    }
}

/// A line of /proc/PID/maps, parsed from left to right.
private struct Columns {
    let bytes: [UInt8]
    var index: Int
    let end: Int

    var isAtEnd: Bool { index == end }

    /// The rest of the line; the kernel prints a newline in a path as `\012`.
    var rest: String {
        if isAtEnd { return "" }
        let escaped = bytes[index..<end]
        guard escaped.contains(UInt8(ascii: "\\")) else { return String(decoding: escaped, as: UTF8.self) }
        return String(decoding: escaped, as: UTF8.self).replacing("\\012", with: "\n")
    }

    /// Skips one character; returns false if the next one differs.
    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard index < end, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    /// Skips the spaces between two columns; returns false if there are none.
    mutating func skipSpaces() -> Bool {
        guard skip(" ") else { return false }
        while skip(" ") {}
        return true
    }

    /// Reads an unsigned number; nil if there is none or it is too large.
    mutating func number(radix: UInt64) -> UInt64? {
        var value: UInt64 = 0
        let first = index
        while index < end, let digit = Self.digit(bytes[index]), digit < radix {
            let (product, overflows) = value.multipliedReportingOverflow(by: radix)
            let (sum, overflowsToo) = product.addingReportingOverflow(digit)
            if overflows || overflowsToo { return nil }
            value = sum
            index += 1
        }
        return index > first ? value : nil
    }

    /// Reads this many printable ASCII characters other than space.
    mutating func text(count: Int) -> String? {
        guard end - index >= count else { return nil }
        let word = bytes[index..<index + count]
        guard word.allSatisfy({ UInt8(ascii: "!")...UInt8(ascii: "~") ~= $0 }) else { return nil }
        index += count
        return String(decoding: word, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt64? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(byte - UInt8(ascii: "a") + 10)
        default: nil
        }
    }
}
