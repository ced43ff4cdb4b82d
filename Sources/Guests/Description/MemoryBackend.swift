/// A memory backend of a guest, as its QEMU reports it.
public struct MemoryBackend: Sendable, Hashable {
    /// The id of the backend object; for plain `-m` the name of the RAM block, such as `pc.ram`.
    public var id: String
    /// The QOM type: `memory-backend-file`, `memory-backend-memfd`, `memory-backend-ram`.
    public var type: String
    /// In bytes.
    public var size: UInt64
    /// `share`.
    public var isShared: Bool
    /// `prealloc`.
    public var isPreallocated: Bool
    /// `discard-data`; false if the backend has no such property.
    public var discardsData: Bool
    /// `mem-path` as given, possibly relative or a directory; nil for backends without a file.
    public var path: String?
    /// The mapping of the file, from /proc/PID/maps; nil if none matches or the process is not readable.
    public var mapping: MappedFile?

    /// Creates the description of a backend; `size` is in bytes.
    public init(
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
    public var isNamedFile: Bool {
        guard type == "memory-backend-file", path != nil else { return false }
        return mapping.map { !$0.isDeleted } ?? true
    }
}
