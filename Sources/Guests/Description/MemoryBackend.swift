package import Linux

/// A memory backend of a guest, as its QEMU reports it.
package struct MemoryBackend: Sendable, Hashable {
    /// The id of the backend object; for plain `-m` the name of the RAM block, such as `pc.ram`.
    package var id: String
    /// The QOM type: `memory-backend-file`, `memory-backend-memfd`, `memory-backend-ram`.
    package var type: String
    /// In bytes.
    package var size: UInt64
    /// `share`.
    package var isShared: Bool
    /// `prealloc`.
    package var isPreallocated: Bool
    /// `discard-data`; false if the backend has no such property.
    package var discardsData: Bool
    /// `mem-path` as given, possibly relative or a directory; nil for backends without a file.
    package var path: String?
    /// The mapping of the file, from /proc/PID/maps; nil if none matches or the process is not readable.
    package var mapping: MappedFile?

    /// Creates the description of a backend; `size` is in bytes.
    package init(
        id: String, type: String, size: UInt64, isShared: Bool, isPreallocated: Bool = false,
        discardsData: Bool = false, path: String? = nil, mapping: MappedFile? = nil
    ) {
        self.id = id
        self.type = type
        self.size = size
        self.isShared = isShared
        self.isPreallocated = isPreallocated
        self.discardsData = discardsData
        self.path = path
        self.mapping = mapping
    }

    /// Whether a second QEMU can open the file by its name.
    package var isNamedFile: Bool {
        guard type == "memory-backend-file", path != nil else { return false }
        return mapping.map { !$0.isDeleted } ?? true
    }
}

/// A file that a process has mapped, from /proc/PID/maps.
///
/// Identifies the mapped file, not the file now at its path: a file may be replaced under its name.
package struct MappedFile: Sendable, Hashable {
    /// The file itself; comparable only with the identity from another mapping.
    package var identity: FileIdentity
    /// The path by which it was mapped, as seen in the process's namespace.
    package var path: String
    /// Whether its name was removed, or it never had one in a directory.
    package var isDeleted: Bool
    /// Whether writes reach the file (MAP_SHARED).
    package var isShared: Bool
    /// The offset of the mapping in the file, in bytes.
    package var offset: UInt64
    /// The size of the mapping, in bytes.
    package var size: UInt64

    /// Creates the description of a mapping; offset and size are in bytes.
    package init(
        identity: FileIdentity, path: String, isDeleted: Bool = false, isShared: Bool, offset: UInt64 = 0, size: UInt64
    ) {
        self.identity = identity
        self.path = path
        self.isDeleted = isDeleted
        self.isShared = isShared
        self.offset = offset
        self.size = size
    }

    /// Returns the files that a process has mapped.
    ///
    /// Merges adjacent pieces of a file: the kernel splits a mapping where advice or protection differ.
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

    /// Returns the mapping that holds a memory backend; nil if there is none.
    ///
    /// - Parameters:
    ///   - path: the backend's absolute `mem-path` in the process's own view; a directory for huge pages.
    ///   - resolvedPath: the same without symbolic links; nil if it does not exist now.
    ///   - id: the backend's id.
    ///   - size: the backend's size in bytes.
    ///   - files: the files that the process has mapped.
    /// - Returns: the mapping.
    static func backing(
        path: String, resolvedPath: String?, id: String, size: UInt64, in files: [MappedFile]
    ) -> MappedFile? {
        let large = files.filter { $0.size >= size }
        let named = large.first { $0.path == path } ?? large.first { $0.path == resolvedPath }
        if let named { return named }
        // In a directory, QEMU creates a file named qemu_back_mem.ID.XXXXXX and unlinks it at once.
        let folders = [path, resolvedPath ?? path].map { $0.hasSuffix("/") ? $0 : $0 + "/" }
        return large.first { file in
            folders.contains { file.path.hasPrefix($0 + "qemu_back_mem.") && file.path.contains("." + id + ".") }
        }
    }
}
