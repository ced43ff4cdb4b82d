/// A memory backend of a guest, as on the command line.
public struct MemoryBackendOption: Sendable, Hashable {
    /// The QOM type.
    ///
    /// `memory-backend-file`, `memory-backend-memfd`, `memory-backend-ram`; nil if QEMU chooses anonymous memory
    /// because only `-m` is given.
    public var type: String?
    /// The backend's id; nil without `-object`.
    public var id: String?
    /// The path as given (`mem-path`); it may be relative, or a directory in which QEMU creates an unlinked file.
    public var path: String?
    /// The size as given, such as `4G`; nil if only `-m` gives it.
    public var size: String?
    /// `share`: whether the guest's writes reach the file.
    ///
    /// Off by default, except for memfd.
    public var isShared: Bool
    /// `prealloc`.
    public var preallocates: Bool
    /// `discard-data`.
    public var discardsData: Bool

    /// Creates a description; the default flags are QEMU's for `memory-backend-file`.
    public init(
        type: String?, id: String?, path: String? = nil, size: String? = nil, isShared: Bool = false,
        preallocates: Bool = false, discardsData: Bool = false
    ) {
        self.type = type
        self.id = id
        self.path = path
        self.size = size
        self.isShared = isShared
        self.preallocates = preallocates
        self.discardsData = discardsData
    }
}
