/// One line of /proc/PID/maps, see proc(5).
public struct MemoryMapping: Sendable, Hashable {
    /// The first address.
    public let start: UInt64
    /// The address behind the last one.
    public let end: UInt64
    /// As the kernel writes them: `rw-s`.
    public let permissions: String
    /// Where in the file it begins, in bytes.
    public let offset: UInt64
    /// The device of the file; (0, 0) for anonymous memory.
    public let device: Device
    /// The inode of the file; 0 for anonymous memory.
    public let inode: UInt64
    /// The file without the mark of the deleted, a pseudo-path such as `[heap]`, or nothing.
    public let path: String
    /// Whether the file has no name any more, or never had one that stands in a folder (memfd).
    public let isDeleted: Bool

    /// A device number in its two parts.
    public struct Device: Sendable, Hashable {
        /// The driver.
        public let major: UInt32
        /// The instance.
        public let minor: UInt32
    }

    /// Whether writes go to the file: `share=on`.
    public var isShared: Bool { permissions.last == "s" }

    /// How many bytes it spans.
    public var length: UInt64 { end - start }

    /// Which file is mapped; compare with another mapping only, as file systems of several devices tell stat(2) otherwise.
    public var identity: FileIdentity { FileIdentity(major: device.major, minor: device.minor, inode: inode) }

    /// Reads a whole /proc/PID/maps; lines that have not the form of proc(5) are left out.
    ///
    /// It works on bytes, as all processes of a host are read to find who maps a file.
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

    /// Reads one line; nil when it has not the form of proc(5).
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

/// A line of /proc/PID/maps, read from the left.
private struct Columns {
    let bytes: [UInt8]
    var index: Int
    let end: Int

    var isAtEnd: Bool { index == end }

    /// What has not been read; the kernel writes a newline in a path as `\012`.
    var rest: String {
        if isAtEnd { return "" }
        let escaped = bytes[index..<end]
        guard escaped.contains(UInt8(ascii: "\\")) else { return String(decoding: escaped, as: UTF8.self) }
        return String(decoding: escaped, as: UTF8.self).replacing("\\012", with: "\n")
    }

    /// Passes one character; false when another stands there.
    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard index < end, bytes[index] == UInt8(ascii: character) else { return false }
        index += 1
        return true
    }

    /// Passes the spaces between two columns; false when there are none.
    mutating func skipSpaces() -> Bool {
        guard skip(" ") else { return false }
        while skip(" ") {}
        return true
    }

    /// Reads a number without a sign; nil when there is none or it is too large.
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

    /// Reads so many characters of ASCII that are no spaces.
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
