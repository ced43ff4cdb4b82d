/// A node of QEMU's block layer: an image format, a file, a filter (QEMU's `BlockDeviceInfo`).
public struct BlockNode: Sendable, Hashable {
    /// Its name; QEMU makes one up (`#block123`) where none was given.
    public let nodeName: String?

    /// `qcow2`, `raw`, `file`, `host_device`, ...
    public let driver: String

    /// The file, or a `json:` description of what it is made of.
    public let file: String

    /// Whether the guest cannot write to it.
    public let isReadOnly: Bool

    /// The file beneath an image that holds only differences.
    public let backingFile: String?

    /// The size that the guest sees, in bytes.
    public let virtualSize: UInt64

    /// Whether the host's page cache is bypassed.
    public let isDirect: Bool

    /// Whether a write is complete for the guest before it is on the disk.
    public let isWriteback: Bool

    /// Whether the guest's flushes are ignored.
    public let ignoresFlush: Bool

    init(from reply: QMPReply) throws(QMPError) {
        let cache = try reply.member("cache")
        nodeName = try reply.optional("node-name")?.string()
        driver = try reply.string("drv")
        file = try reply.string("file")
        isReadOnly = try reply.bool("ro")
        backingFile = try reply.optional("backing_file")?.string()
        virtualSize = try reply.member("image").unsigned("virtual-size")
        isDirect = try cache.bool("direct")
        isWriteback = try cache.bool("writeback")
        ignoresFlush = try cache.bool("no-flush")
    }
}
