/// `query-status`: whether the guest runs.
///
/// Since 0.14.
public struct QueryStatus: QMPCommand {
    /// What `query-status` says.
    public struct Reply: Sendable, Hashable {
        /// Whether the vCPUs run.
        public let isRunning: Bool

        /// Why they do or do not.
        public let state: RunState
    }

    /// QEMU's name of the command.
    public static let name = "query-status"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The status.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(isRunning: try reply.bool("running"), state: try reply.member("status").enumeration())
    }
}

/// `stop`: pauses the vCPUs; the `STOP` event comes before the reply.
///
/// Since 0.14.
public struct Stop: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "stop"

    /// Makes the command.
    public init() {}

    /// Thirty seconds: QEMU waits for the disk requests under way.
    public var deadline: Duration { .seconds(30) }
}

/// `cont`: lets the vCPUs run; the `RESUME` event comes before the reply.
///
/// Since 0.14.
public struct Cont: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "cont"

    /// Makes the command.
    public init() {}

    /// Thirty seconds: QEMU takes over the disk images first where that is due.
    public var deadline: Duration { .seconds(30) }
}

/// `quit`: ends QEMU at once, without asking the guest.
///
/// Since 0.14.
///
/// The connection may end before the reply is read.
public struct Quit: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "quit"

    /// Makes the command.
    public init() {}
}
