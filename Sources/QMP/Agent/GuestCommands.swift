/// `guest-ping`: checks whether the agent answers.
///
/// Since 0.15.
public struct GuestPing: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in the agent.
    public static let name = "guest-ping"

    /// Creates the command, which takes no parameters.
    public init() {}
}

/// `guest-info`: the agent's version and commands.
///
/// Since 0.15.
public struct GuestInfo: QMPCommand {
    /// The reply of `guest-info`.
    public struct Reply: Sendable, Hashable {
        /// The agent's version.
        public let version: String

        /// The names of the enabled commands.
        public let commands: Set<String>
    }

    /// The command's name in the agent.
    public static let name = "guest-info"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The version and the commands.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        let commands = try reply.member("supported_commands").map { command throws(QMPError) in
            try command.bool("enabled") ? try command.string("name") : nil
        }
        return Reply(version: try reply.string("version"), commands: Set(commands.compactMap(\.self)))
    }
}
