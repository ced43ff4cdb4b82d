public import JSON

/// `query-block`: the drives that guest devices use.
///
/// Since 0.14.
public struct QueryBlock: QMPCommand {
    /// One drive.
    public struct Drive: Sendable, Hashable {
        /// The drive's name; empty if the device uses a node from `-blockdev`.
        public let device: String

        /// The id or object path of the guest's device; nil if no device uses the drive.
        public let qdev: String?

        /// Whether the medium is removable.
        public let isRemovable: Bool

        /// The inserted node; nil for an empty drive.
        public let inserted: BlockNode?
    }

    /// The command's name in QMP.
    public static let name = "query-block"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Ten seconds: QEMU reads image headers.
    public var deadline: Duration { .seconds(10) }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The drives.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [Drive] {
        try reply.map { drive throws(QMPError) in
            var inserted: BlockNode?
            if let node = drive.optional("inserted") { inserted = try BlockNode(from: node) }
            return Drive(
                device: try drive.string("device"),
                qdev: try drive.optional("qdev")?.string(),
                isRemovable: try drive.bool("removable"),
                inserted: inserted
            )
        }
    }
}

/// `query-named-block-nodes`: every node, including those that no drive uses.
///
/// Since 2.0.
public struct QueryNamedBlockNodes: QMPCommand {
    /// The command's name in QMP.
    public static let name = "query-named-block-nodes"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Requests a flat list, without nested images of backing files.
    ///
    /// Since 5.0.
    public var arguments: [String: JSONValue] { ["flat": true] }

    /// Ten seconds: QEMU reads image headers.
    public var deadline: Duration { .seconds(10) }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The nodes.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [BlockNode] {
        try reply.map { node throws(QMPError) in try BlockNode(from: node) }
    }
}

/// `blockdev-add`: opens an image, or any other kind of node.
///
/// Since 2.9.
public struct BlockdevAdd: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "blockdev-add"

    /// The node in the JSON form of `-blockdev`: `driver`, `node-name` and the driver's options.
    public let node: [String: JSONValue]

    /// Creates the command for one node, which may contain others.
    ///
    /// - Parameter node: The node.
    public init(_ node: [String: JSONValue]) {
        self.node = node
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { node }

    /// Thirty seconds: the image may be on a remote host.
    public var deadline: Duration { .seconds(30) }
}

/// `blockdev-del`: closes an unused node.
///
/// Since 2.9.
public struct BlockdevDel: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "blockdev-del"

    /// The node's name.
    public let nodeName: String

    /// Creates the command for one node.
    ///
    /// - Parameter nodeName: The node's name.
    public init(nodeName: String) {
        self.nodeName = nodeName
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["node-name": .string(nodeName)] }

    /// Thirty seconds.
    public var deadline: Duration { .seconds(30) }
}

/// `query-block-jobs`: the running block jobs (mirror, commit, backup, stream).
///
/// Since 1.1.
public struct QueryBlockJobs: QMPCommand {
    /// One job.
    public struct Job: Sendable, Hashable {
        /// Its id, or the drive's name if it has none.
        public let device: String

        /// `mirror`, `commit`, `backup`, `stream` and so on.
        public let type: String
    }

    /// The command's name in QMP.
    public static let name = "query-block-jobs"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The jobs.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [Job] {
        try reply.map { job throws(QMPError) in
            Job(device: try job.string("device"), type: try job.string("type"))
        }
    }
}

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
