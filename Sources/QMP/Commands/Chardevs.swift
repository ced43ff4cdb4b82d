public import JSON

/// `query-chardev`: the character devices.
///
/// Since 0.14.
public struct QueryChardev: QMPCommand {
    /// One character device.
    public struct Chardev: Sendable, Hashable {
        /// Its id; `compat_monitor0`, `serial0` and the like if QEMU generated it.
        public let label: String

        /// A readable description: `disconnected:unix:/run/x,server=on`, `file`, `pty:/dev/pts/3`.
        public let filename: String

        /// Whether the guest's device or the monitor has opened it.
        ///
        /// Since 2.1.
        public let isFrontendOpen: Bool
    }

    /// The command's name in QMP.
    public static let name = "query-chardev"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The character devices.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
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

/// `chardev-add`: creates a character device.
///
/// Since 1.4.
public struct ChardevAdd: QMPCommand {
    /// The slave of the created terminal, for a `pty`.
    public typealias Reply = String?

    /// The command's name in QMP.
    public static let name = "chardev-add"

    /// Its id.
    public let id: String

    /// The backend: `{"type": "socket", "data": {...}}` and the like.
    public let backend: JSONValue

    /// Creates the command for one character device.
    ///
    /// - Parameters:
    ///   - id: Its id.
    ///   - backend: Its backend, such as `{"type": "socket", "data": {...}}`.
    public init(id: String, backend: JSONValue) {
        self.id = id
        self.backend = backend
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["id": .string(id), "backend": backend] }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The slave of a `pty`; nil for other backends.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> String? {
        try reply.optional("pty")?.string()
    }
}

/// `chardev-remove`: removes an unused character device.
///
/// Since 1.4.
public struct ChardevRemove: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "chardev-remove"

    /// Its id.
    public let id: String

    /// Creates the command for one character device.
    ///
    /// - Parameter id: Its id.
    public init(id: String) {
        self.id = id
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["id": .string(id)] }
}
