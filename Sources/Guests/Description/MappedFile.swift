public import Linux

/// A file that a process has mapped, from /proc/PID/maps.
///
/// What is mapped counts, not what the name leads to now: a file may be replaced under its name.
public struct MappedFile: Sendable, Hashable {
    /// The file itself; compare with another mapping's only.
    public var identity: FileIdentity
    /// The name that it was mapped by, as the process's namespace shows it.
    public var path: String
    /// Whether it has no name any more, or never had one in a folder.
    public var isDeleted: Bool
    /// Whether writes reach the file (MAP_SHARED).
    public var isShared: Bool
    /// Where in the file the mapping begins, in bytes.
    public var offset: UInt64
    /// How much is mapped, in bytes.
    public var size: UInt64

    /// Makes the description of a mapping.
    public init(
        identity: FileIdentity, path: String, isDeleted: Bool = false, isShared: Bool, offset: UInt64 = 0, size: UInt64
    ) {
        self.identity = identity
        self.path = path
        self.isDeleted = isDeleted
        self.isShared = isShared
        self.offset = offset
        self.size = size
    }

    /// The files that a process has mapped.
    ///
    /// Pieces that continue each other are one: the kernel splits a mapping where
    /// advice or protection differ.
    static func all(in mappings: [MemoryMapping]) -> [MappedFile] {
        var files: [MappedFile] = []
        var end: UInt64 = 0
        for mapping in mappings where mapping.inode != 0 {
            let file = MappedFile(
                identity: mapping.identity, path: mapping.path, isDeleted: mapping.isDeleted,
                isShared: mapping.isShared, offset: mapping.offset, size: mapping.length)
            if let previous = files.last, mapping.start == end, previous.continues(in: file) {
                files[files.count - 1].size += file.size
            } else {
                files.append(file)
            }
            end = mapping.end
        }
        return files
    }

    private func continues(in next: MappedFile) -> Bool {
        identity == next.identity && isShared == next.isShared && offset + size == next.offset
    }

    /// The mapping that holds a memory backend; nil when there is none.
    ///
    /// - Parameters:
    ///   - path: the backend's `mem-path` in the process's own view, absolute; a folder for hugepages.
    ///   - resolvedPath: the same without symbolic links, if it leads anywhere now.
    ///   - id: the backend's id.
    ///   - size: the backend's size in bytes.
    ///   - files: what the process has mapped.
    /// - Returns: the mapping.
    static func backing(
        path: String, resolvedPath: String?, id: String, size: UInt64, in files: [MappedFile]
    ) -> MappedFile? {
        let large = files.filter { $0.size >= size }
        let named = large.first { $0.path == path } ?? large.first { $0.path == resolvedPath }
        if let named { return named }
        // In a folder QEMU makes a file called qemu_back_mem.ID.XXXXXX and unlinks it at once.
        let folders = [path, resolvedPath ?? path].map { $0.hasSuffix("/") ? $0 : $0 + "/" }
        return large.first { file in
            folders.contains { file.path.hasPrefix($0 + "qemu_back_mem.") && file.path.contains("." + id + ".") }
        }
    }
}
