/// `guest-ping`: whether the agent answers.
///
/// Since 0.15.
public struct GuestPing: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// The agent's name of the command.
    public static let name = "guest-ping"

    /// Makes the command.
    public init() {}
}

/// `guest-info`: the agent's version and what it can do.
///
/// Since 0.15.
public struct GuestInfo: QMPCommand {
    /// What `guest-info` says.
    public struct Reply: Sendable, Hashable {
        /// The agent's version.
        public let version: String

        /// The names of the commands that are enabled.
        public let commands: Set<String>
    }

    /// The agent's name of the command.
    public static let name = "guest-info"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What the agent sent as `return`.
    /// - Returns: The agent.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        let commands = try reply.member("supported_commands").map { command throws(QMPError) in
            try command.bool("enabled") ? try command.string("name") : nil
        }
        return Reply(version: try reply.string("version"), commands: Set(commands.compactMap(\.self)))
    }
}
