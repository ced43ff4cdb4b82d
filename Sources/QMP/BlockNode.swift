/// A node of QEMU's block layer: an image format, a file, a filter (QEMU's `BlockDeviceInfo`).
public struct BlockNode: Sendable, Hashable {
    /// Its name; QEMU generates one (`#block123`) if none was given.
    public let nodeName: String?

    /// `qcow2`, `raw`, `file`, `host_device`, ...
    public let driver: String

    /// The file, or a `json:` description of the node.
    public let file: String

    /// Whether it is read-only for the guest.
    public let isReadOnly: Bool

    /// The backing file of an image that contains only differences.
    public let backingFile: String?

    /// The size that the guest sees, in bytes.
    public let virtualSize: UInt64

    /// Whether the host's page cache is bypassed.
    public let isDirect: Bool

    /// Whether a write completes for the guest before it is on the disk.
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
