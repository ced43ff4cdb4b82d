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
    static func parse(_ text: String) -> [MemoryMapping] {
        text.utf8.split(separator: UInt8(ascii: "\n")).compactMap { MemoryMapping(parsing: Substring($0)) }
    }

    /// Reads one line; nil when it has not the form of proc(5).
    init?(parsing line: Substring) {
        let columns = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        guard columns.count >= 5 else { return nil }
        let addresses = columns[0].split(separator: "-")
        let numbers = columns[3].split(separator: ":")
        guard
            addresses.count == 2, let start = UInt64(addresses[0], radix: 16),
            let end = UInt64(addresses[1], radix: 16), start <= end, columns[1].utf8.count == 4,
            let offset = UInt64(columns[2], radix: 16), numbers.count == 2,
            let major = UInt32(numbers[0], radix: 16), let minor = UInt32(numbers[1], radix: 16),
            let inode = UInt64(columns[4])
        else { return nil }
        self.start = start
        self.end = end
        permissions = String(columns[1])
        self.offset = offset
        device = Device(major: major, minor: minor)
        self.inode = inode
        // The kernel pads to column 73 before the path and writes a newline in it as \012.
        let padded = columns.count > 5 ? columns[5].drop { $0 == " " } : ""
        let link = ExecutableLink(parsing: Self.unescapingNewlines(padded))
        path = link.path
        isDeleted = link.isDeleted
    }

    private static func unescapingNewlines(_ text: Substring) -> String {
        let mark = Array("\\012".utf8)
        let bytes = Array(text.utf8)
        guard bytes.count >= mark.count else { return String(text) }
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index...].starts(with: mark) {
                result.append(UInt8(ascii: "\n"))
                index += mark.count
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
