import Linux

/// The storage of a disk of this host.
struct HostStorage: Sendable, Hashable {
    let isBlockDevice: Bool
    /// Whether its file system can bypass this host's cache (a tmpfs cannot, and has none).
    let bypassesCache: Bool

    static func examine(_ path: String) -> HostStorage {
        // A path that cannot be examined is attached as a file; QEMU refuses it with its own message.
        HostStorage(
            isBlockDevice: (try? Files.status(path).kind) == .blockDevice, bypassesCache: Files.bypassesCache(path))
    }
}
