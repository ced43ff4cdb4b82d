/// What a command line says about a part of the guest's memory.
public struct MemoryBackendOption: Sendable, Hashable {
    /// The QOM type.
    ///
    /// `memory-backend-file`, `memory-backend-memfd`, `memory-backend-ram`; nil where plain `-m` makes
    /// QEMU choose anonymous memory.
    public var type: String?
    /// The backend's id; nil without `-object`.
    public var id: String?
    /// The path as given (`mem-path`); it may be relative, or a folder, where QEMU makes an unlinked file.
    public var path: String?
    /// The size as given, such as `4G`; nil where only `-m` says it.
    public var size: String?
    /// `share`: whether what the guest writes reaches the file.
    ///
    /// Off unless given, but for memfd.
    public var isShared: Bool
    /// `prealloc`.
    public var preallocates: Bool
    /// `discard-data`.
    public var discardsData: Bool

    /// Makes the description of a backend.
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
