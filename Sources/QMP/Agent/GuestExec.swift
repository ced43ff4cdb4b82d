public import JSON

/// `guest-exec`: starts a program in the agent's machine.
///
/// Since 2.5. The program runs in the agent's own control group.
public struct GuestExec: QMPCommand {
    /// The process id, which `guest-exec-status` takes.
    public typealias Reply = Int

    /// The command's name in the agent.
    public static let name = "guest-exec"

    /// The arguments in their QMP form.
    public let arguments: [String: JSONValue]

    /// Creates the command; the agent captures the program's output.
    ///
    /// - Parameters:
    ///   - program: Its path, or a name to look up in the agent's `PATH`.
    ///   - arguments: Its arguments, without the program itself.
    ///   - input: Its standard input.
    public init(_ program: String, _ arguments: [String] = [], input: [UInt8] = []) {
        var members: [String: JSONValue] = [
            "path": .string(program), "arg": .array(arguments.map(JSONValue.string)), "capture-output": true,
        ]
        if !input.isEmpty { members["input-data"] = .string(Base64.encode(input)) }
        self.arguments = members
    }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The process id.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Int { try reply.int("pid") }
}

/// `guest-exec-status`: whether a program that the agent started has ended, and what it wrote.
///
/// Since 2.5. The agent forgets the program once it has reported its end.
public struct GuestExecStatus: QMPCommand {
    /// The reply of `guest-exec-status`.
    public struct Reply: Sendable, Hashable {
        /// Whether it has ended.
        public let hasExited: Bool

        /// Its exit status; nil while it runs, and if a signal ended it.
        public let exitCode: Int?

        /// The signal that ended it; nil otherwise.
        public let signal: Int?

        /// Its standard output.
        public let output: [UInt8]

        /// Its standard error.
        public let errors: [UInt8]
    }

    /// The command's name in the agent.
    public static let name = "guest-exec-status"

    /// The arguments in their QMP form.
    public let arguments: [String: JSONValue]

    /// Creates the command for one program.
    ///
    /// - Parameter pid: The process id that `guest-exec` returned.
    public init(pid: Int) { arguments = ["pid": .integer(Int64(pid))] }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The state of the program.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(
            hasExited: try reply.bool("exited"), exitCode: try reply.optional("exitcode")?.int(),
            signal: try reply.optional("signal")?.int(), output: try bytes(reply.optional("out-data")),
            errors: try bytes(reply.optional("err-data")))
    }

    private static func bytes(_ reply: QMPReply?) throws(QMPError) -> [UInt8] {
        guard let reply else { return [] }
        guard let bytes = Base64.decode(try reply.string()) else {
            throw QMPError(.unusableReply, "the program's output is not in base64: this agent violates the protocol")
        }
        return bytes
    }
}
