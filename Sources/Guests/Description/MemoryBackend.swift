/// A part of the guest's memory as QEMU has it.
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
    /// `discard-data`; false where the backend has no such property.
    public var discardsData: Bool
    /// `mem-path` as given: relative, or a folder, possibly; nil for backends without a file.
    public var path: String?
    /// What of the file is mapped, from /proc/PID/maps; nil where nothing fits or the process may not be read.
    public var mapping: MappedFile?

    /// Makes the description of a backend.
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

    /// Whether the file has a name by which a second QEMU can open it.
    public var isNamedFile: Bool {
        guard type == "memory-backend-file", path != nil else { return false }
        return mapping.map { !$0.isDeleted } ?? true
    }
}
