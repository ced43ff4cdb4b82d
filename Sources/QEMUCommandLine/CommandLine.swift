/// A command line of qemu-system-*, parsed as QEMU parses it.
///
/// The options in a `-readconfig FILE` replace that option in its place. Everything else is kept verbatim, so
/// ``arguments`` returns the parsed text until an option is changed.
public struct CommandLine: Sendable, Hashable {
    /// The name under which QEMU was started (argv[0]).
    public var executable: String
    /// The options in order; QEMU processes some in this order.
    public var options: [CommandLineOption]

    /// Creates a command line; `options` must be in the order in which QEMU is to read them.
    public init(executable: String, options: [CommandLineOption]) {
        self.executable = executable
        self.options = options
    }

    /// Parses an argument vector.
    ///
    /// - Parameters:
    ///   - arguments: argv with the binary's name first, as in /proc/PID/cmdline.
    ///   - readConfig: returns the text of a `-readconfig` file. The path may be relative to the directory in which
    ///     QEMU was started. Any error it throws is reported as ``CommandLineError/Code/configUnreadable``.
    /// - Throws: ``CommandLineError`` with the position of the argument that cannot be read.
    public init(
        arguments: [String],
        readConfig: (String) throws -> String
    ) throws(CommandLineError) {
        self = try CommandLineParser.parse(arguments, readConfig: readConfig)
    }

    /// The argument vector, the binary's name first.
    public var arguments: [String] {
        [executable] + options.flatMap(\.arguments)
    }

    /// Returns the options with this name (`M` is `machine`), in order.
    public func options(named name: String) -> [CommandLineOption] {
        let wanted = OptionTable.canonicalName(name)
        return options.filter { OptionTable.canonicalName($0.name) == wanted }
    }

    /// Returns whether the command line has an option with this name.
    public func contains(_ name: String) -> Bool {
        !options(named: name).isEmpty
    }
}
