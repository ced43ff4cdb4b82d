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

/// The encoding of RFC 4648, section 4, in which an agent's commands carry bytes.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    private static let values: [UInt8: UInt32] = Dictionary(
        uniqueKeysWithValues: alphabet.enumerated().map { ($1, UInt32($0)) })

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let part = bytes[start..<min(start + 3, bytes.count)]
            let group = part.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - part.count))
            for place in 0..<4 {
                text.append(
                    place <= part.count ? alphabet[Int(group >> UInt32(18 - 6 * place)) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Returns the bytes; nil if the text is not in this encoding.
    static func decode(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 4) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 4 * 3)
        for start in stride(from: 0, to: digits.count, by: 4) {
            let isLast = start + 4 == digits.count
            let part = digits[start..<start + 4]
            let used = isLast ? part.prefix { $0 != UInt8(ascii: "=") } : part
            guard used.count >= 2, part.dropFirst(used.count).allSatisfy({ $0 == UInt8(ascii: "=") }) else {
                return nil
            }
            var group: UInt32 = 0
            for digit in used {
                guard let value = values[digit] else { return nil }
                group = group << 6 | value
            }
            group <<= UInt32(6 * (4 - used.count))
            for place in 0..<used.count - 1 { bytes.append(UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * place))) }
        }
        return bytes
    }
}
