public import JSON

/// `query-qmp-schema`: every command, event and type of this QEMU, 200 kB and more.
///
/// Since 2.5.
public struct QueryQMPSchema: QMPCommand {
    /// QEMU's name of the command.
    public static let name = "query-qmp-schema"

    /// Makes the command.
    public init() {}

    /// Ten seconds.
    public var deadline: Duration { .seconds(10) }

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The schema.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> QMPSchema {
        try QMPSchema(from: reply)
    }
}

/// `query-command-line-options`: the options that this QEMU knows, as far as it says.
///
/// Since 1.5.
public struct QueryCommandLineOptions: QMPCommand {
    /// The name of each option, with the names of its parameters.
    public typealias Reply = [String: Set<String>]

    /// QEMU's name of the command.
    public static let name = "query-command-line-options"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The parameters of each option.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [String: Set<String>] {
        var options: [String: Set<String>] = [:]
        for option in try reply.elements() {
            let parameters = try option.member("parameters").map { parameter throws(QMPError) in
                try parameter.string("name")
            }
            options[try option.string("option"), default: []].formUnion(parameters)
        }
        return options
    }
}

/// `human-monitor-command`: a line for the human monitor.
///
/// Since 0.14.
///
/// What it prints is for people and changes between versions.
public struct HumanMonitorCommand: QMPCommand {
    /// QEMU's name of the command.
    public static let name = "human-monitor-command"

    /// The line, such as `info mtree`.
    public let commandLine: String

    /// Makes the command.
    ///
    /// - Parameter commandLine: The line.
    public init(_ commandLine: String) {
        self.commandLine = commandLine
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["command-line": .string(commandLine)] }

    /// Thirty seconds.
    public var deadline: Duration { .seconds(30) }

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: What was printed, with CRLF line ends.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> String {
        try reply.string()
    }
}
