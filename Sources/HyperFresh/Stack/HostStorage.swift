import Linux

/// What a disk of this host lies on.
struct HostStorage: Sendable, Hashable {
    let isBlockDevice: Bool
    /// Whether its file system can bypass this host's cache (a tmpfs cannot, and has none).
    let bypassesCache: Bool

    static func examine(_ path: String) -> HostStorage {
        HostStorage(
            isBlockDevice: (try? Files.status(path).kind) == .blockDevice, bypassesCache: Files.bypassesCache(path))
    }
}
