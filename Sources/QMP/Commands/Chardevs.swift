public import JSON

/// `query-chardev`: the character devices.
///
/// Since 0.14.
public struct QueryChardev: QMPCommand {
    /// One character device.
    public struct Chardev: Sendable, Hashable {
        /// Its id; `compat_monitor0`, `serial0` and the like where QEMU made it up.
        public let label: String

        /// What it is, for people: `disconnected:unix:/run/x,server=on`, `file`, `pty:/dev/pts/3`.
        public let filename: String

        /// Whether the guest's device, or the monitor, has opened it.
        ///
        /// Since 2.1.
        public let isFrontendOpen: Bool
    }

    /// QEMU's name of the command.
    public static let name = "query-chardev"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The character devices.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [Chardev] {
        try reply.map { chardev throws(QMPError) in
            Chardev(
                label: try chardev.string("label"),
                filename: try chardev.string("filename"),
                isFrontendOpen: try chardev.bool("frontend-open")
            )
        }
    }
}

/// `chardev-add`: makes a character device.
///
/// Since 1.4.
public struct ChardevAdd: QMPCommand {
    /// The slave of the terminal that was made, for a `pty`.
    public typealias Reply = String?

    /// QEMU's name of the command.
    public static let name = "chardev-add"

    /// Its id.
    public let id: String

    /// `{"type": "socket", "data": {...}}` and the like.
    public let backend: JSONValue

    /// Makes the command.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - backend: What is behind it.
    public init(id: String, backend: JSONValue) {
        self.id = id
        self.backend = backend
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["id": .string(id), "backend": backend] }

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The slave of a `pty`.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> String? {
        try reply.optional("pty")?.string()
    }
}

/// `chardev-remove`: removes a character device that nobody uses.
///
/// Since 1.4.
public struct ChardevRemove: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "chardev-remove"

    /// Its id.
    public let id: String

    /// Makes the command.
    ///
    /// - Parameter id: Its id.
    public init(id: String) {
        self.id = id
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["id": .string(id)] }
}
