import Linux

/// What a disk of this host lies on.
struct HostStorage: Sendable, Hashable {
    let isBlockDevice: Bool
    /// Whether its file system can bypass this host's cache (a tmpfs cannot, and has none).
    let bypassesCache: Bool

    static func examine(_ path: String) -> HostStorage {
        // One that cannot be looked at is attached as a file: QEMU refuses it with words of its own.
        HostStorage(
            isBlockDevice: (try? Files.status(path).kind) == .blockDevice, bypassesCache: Files.bypassesCache(path))
    }
}
