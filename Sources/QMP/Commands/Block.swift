public import JSON

/// `query-block`: the drives that guest devices use.
///
/// Since 0.14.
public struct QueryBlock: QMPCommand {
    /// One drive.
    public struct Drive: Sendable, Hashable {
        /// The drive's name; empty where a device was given a node with `-blockdev`.
        public let device: String

        /// The id or object path of the guest's device; nil where none uses it.
        public let qdev: String?

        /// Whether the medium can be taken out.
        public let isRemovable: Bool

        /// The node that is in it; nil for an empty drive.
        public let inserted: BlockNode?
    }

    /// QEMU's name of the command.
    public static let name = "query-block"

    /// Makes the command.
    public init() {}

    /// Ten seconds: QEMU reads image headers.
    public var deadline: Duration { .seconds(10) }

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The drives.
    /// - Throws: `unusableReply`.
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

/// `query-named-block-nodes`: every node, also those that no drive uses.
///
/// Since 2.0.
public struct QueryNamedBlockNodes: QMPCommand {
    /// QEMU's name of the command.
    public static let name = "query-named-block-nodes"

    /// Makes the command.
    public init() {}

    /// Flat: without the images of backing files within each other.
    ///
    /// Since 5.0.
    public var arguments: [String: JSONValue] { ["flat": true] }

    /// Ten seconds: QEMU reads image headers.
    public var deadline: Duration { .seconds(10) }

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The nodes.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [BlockNode] {
        try reply.map { node throws(QMPError) in try BlockNode(from: node) }
    }
}

/// `blockdev-add`: opens an image, or whatever else can be a node.
///
/// Since 2.9.
public struct BlockdevAdd: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "blockdev-add"

    /// The node, as `-blockdev` takes it in its JSON form: `driver`, `node-name` and what the driver needs.
    public let node: [String: JSONValue]

    /// Makes the command.
    ///
    /// - Parameter node: The node.
    public init(_ node: [String: JSONValue]) {
        self.node = node
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { node }

    /// Thirty seconds: the image may be far away.
    public var deadline: Duration { .seconds(30) }
}

/// `blockdev-del`: closes a node that nobody uses.
///
/// Since 2.9.
public struct BlockdevDel: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "blockdev-del"

    /// The node.
    public let nodeName: String

    /// Makes the command.
    ///
    /// - Parameter nodeName: The node.
    public init(nodeName: String) {
        self.nodeName = nodeName
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["node-name": .string(nodeName)] }

    /// Thirty seconds.
    public var deadline: Duration { .seconds(30) }
}

/// `query-block-jobs`: the jobs that work on nodes (mirror, commit, backup, stream).
///
/// Since 1.1.
public struct QueryBlockJobs: QMPCommand {
    /// One job.
    public struct Job: Sendable, Hashable {
        /// Its id, or the drive's name where it has none.
        public let device: String

        /// `mirror`, `commit`, `backup`, `stream` and so on.
        public let type: String
    }

    /// QEMU's name of the command.
    public static let name = "query-block-jobs"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The jobs.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [Job] {
        try reply.map { job throws(QMPError) in
            Job(device: try job.string("device"), type: try job.string("type"))
        }
    }
}
