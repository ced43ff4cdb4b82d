public import JSON

/// `guest-exec`: starts a program in the agent's machine.
///
/// Since 2.5. What it starts lives in the agent's own control group.
public struct GuestExec: QMPCommand {
    /// The number to ask for it by: its process id.
    public typealias Reply = Int

    /// The agent's name of the command.
    public static let name = "guest-exec"

    /// What is sent along.
    public let arguments: [String: JSONValue]

    /// Makes the command; what the program writes is kept.
    ///
    /// - Parameters:
    ///   - program: Its path, or a name that is looked for in the agent's `PATH`.
    ///   - arguments: Its arguments, without the program itself.
    ///   - input: What it reads from standard input.
    public init(_ program: String, _ arguments: [String] = [], input: [UInt8] = []) {
        var members: [String: JSONValue] = [
            "path": .string(program), "arg": .array(arguments.map(JSONValue.string)), "capture-output": true,
        ]
        if !input.isEmpty { members["input-data"] = .string(Base64.encode(input)) }
        self.arguments = members
    }

    /// Reads the reply.
    ///
    /// - Parameter reply: What the agent sent as `return`.
    /// - Returns: The process id.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Int { try reply.int("pid") }
}

/// `guest-exec-status`: whether a program that the agent started has ended, and what it wrote.
///
/// Since 2.5. The agent forgets the program once it has told its end.
public struct GuestExecStatus: QMPCommand {
    /// What `guest-exec-status` says.
    public struct Reply: Sendable, Hashable {
        /// Whether it has ended.
        public let hasExited: Bool

        /// Its exit status; nil while it runs, and when a signal ended it.
        public let exitCode: Int?

        /// The signal that ended it.
        public let signal: Int?

        /// What it wrote to standard output.
        public let output: [UInt8]

        /// What it wrote to standard error.
        public let errors: [UInt8]
    }

    /// The agent's name of the command.
    public static let name = "guest-exec-status"

    /// What is sent along.
    public let arguments: [String: JSONValue]

    /// Makes the command.
    ///
    /// - Parameter pid: What `guest-exec` returned.
    public init(pid: Int) { arguments = ["pid": .integer(Int64(pid))] }

    /// Reads the reply.
    ///
    /// - Parameter reply: What the agent sent as `return`.
    /// - Returns: How the program stands.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(
            hasExited: try reply.bool("exited"), exitCode: try reply.optional("exitcode")?.int(),
            signal: try reply.optional("signal")?.int(), output: try bytes(reply.optional("out-data")),
            errors: try bytes(reply.optional("err-data")))
    }

    private static func bytes(_ reply: QMPReply?) throws(QMPError) -> [UInt8] {
        guard let reply else { return [] }
        guard let bytes = Base64.decode(try reply.string()) else {
            throw QMPError(.unusableReply, "what the program wrote is not in base64: this agent breaks its own rules")
        }
        return bytes
    }
}
