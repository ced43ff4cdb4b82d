public import JSON

/// `query-qmp-schema`: every command, event and type of this QEMU; 200 kB or more.
///
/// Since 2.5.
public struct QueryQMPSchema: QMPCommand {
    /// The command's name in QMP.
    public static let name = "query-qmp-schema"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Ten seconds.
    public var deadline: Duration { .seconds(10) }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The schema.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> QMPSchema {
        try QMPSchema(from: reply)
    }
}

/// `query-command-line-options`: the options of this QEMU, as far as it reports them.
///
/// Since 1.5.
public struct QueryCommandLineOptions: QMPCommand {
    /// The name of each option, with the names of its parameters.
    public typealias Reply = [String: Set<String>]

    /// The command's name in QMP.
    public static let name = "query-command-line-options"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The parameters of each option.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
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

/// `human-monitor-command`: runs a line in the human monitor.
///
/// Since 0.14.
///
/// The output is meant for people and changes between versions.
public struct HumanMonitorCommand: QMPCommand {
    /// The command's name in QMP.
    public static let name = "human-monitor-command"

    /// The line, such as `info mtree`.
    public let commandLine: String

    /// Creates the command for one line.
    ///
    /// - Parameter commandLine: The line.
    public init(_ commandLine: String) {
        self.commandLine = commandLine
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["command-line": .string(commandLine)] }

    /// Thirty seconds.
    public var deadline: Duration { .seconds(30) }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The output, with CRLF line ends.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> String {
        try reply.string()
    }
}
