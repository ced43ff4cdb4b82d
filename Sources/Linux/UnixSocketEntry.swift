/// A unix socket of a network namespace, as listed in /proc/net/unix.
public struct UnixSocketEntry: Sendable, Hashable {
    /// Its inode; a process's descriptor shows it as `socket:[INODE]`.
    public let inode: UInt64
    /// The path as its owner passed it to bind(2): possibly relative, with a leading `@` if abstract; nil if unnamed.
    public let path: String?
    /// Whether it accepts connections.
    public let isListening: Bool

    /// Parses /proc/net/unix.
    ///
    /// A path may contain newlines, which the kernel prints unescaped: a line that does not begin an entry continues
    /// the previous path. Any user can name a socket so that it looks like another entry, so an inode that occurs twice
    /// is ignored.
    static func parse(_ text: String) -> [UnixSocketEntry] {
        var entries: [(inode: UInt64, path: String, isListening: Bool)] = []
        for line in text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropFirst() {
            if let entry = parseLine(Substring(line)) {
                entries.append(entry)
            } else if let last = entries.indices.last {
                entries[last].path += "\n" + String(Substring(line))
            }
        }
        // The newline at the end of the file is not part of a path.
        if let last = entries.indices.last, entries[last].path.hasSuffix("\n") { entries[last].path.removeLast() }
        var counts: [UInt64: Int] = [:]
        for entry in entries { counts[entry.inode, default: 0] += 1 }
        return entries.filter { counts[$0.inode] == 1 }.map { entry in
            UnixSocketEntry(
                inode: entry.inode, path: entry.path.isEmpty ? nil : entry.path, isListening: entry.isListening
            )
        }
    }

    /// Columns: Num RefCount Protocol Flags Type St Inode Path; all but the last two in hexadecimal.
    private static func parseLine(_ line: Substring) -> (inode: UInt64, path: String, isListening: Bool)? {
        let columns = line.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: true)
        guard columns.count == 7, columns[0].hasSuffix(":"), columns[0].utf8.count >= 9 else { return nil }
        guard columns[1...5].allSatisfy({ UInt64($0, radix: 16) != nil }) else { return nil }
        // The inode is right-aligned to five places; one space separates it from the path.
        let rest = columns[6].drop { $0 == " " }
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        let behind = rest.dropFirst(digits.count)
        guard
            let flags = UInt64(columns[3], radix: 16), let inode = UInt64(digits),
            behind.isEmpty || behind.first == " "
        else { return nil }
        // SO_ACCEPTCON of the kernel's include/uapi/linux/net.h.
        return (inode, String(behind.dropFirst()), flags & 0x10000 != 0)
    }
}
