/// A command line of qemu-system-*, read as QEMU reads it.
///
/// `-readconfig FILE` is replaced by the options that stand in the file, in its place; everything else is kept
/// letter by letter, so ``arguments`` gives back what was parsed until an option is changed.
public struct CommandLine: Sendable, Hashable {
    /// The name under which QEMU was started (argv[0]).
    public var executable: String
    /// The options in their order, which QEMU gives a meaning.
    public var options: [CommandLineOption]

    /// Makes a command line from its parts.
    public init(executable: String, options: [CommandLineOption]) {
        self.executable = executable
        self.options = options
    }

    /// Reads an argument vector.
    ///
    /// - Parameters:
    ///   - arguments: argv with the binary's name first, as in /proc/PID/cmdline.
    ///   - readConfig: gives the text of a `-readconfig` file. Its path may be relative to the folder QEMU was
    ///     started in. Whatever it throws is reported as ``CommandLineError/Code/configUnreadable``.
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

    /// The options of this name (`M` is `machine`), in their order.
    public func options(named name: String) -> [CommandLineOption] {
        let wanted = OptionTable.canonicalName(name)
        return options.filter { OptionTable.canonicalName($0.name) == wanted }
    }

    /// Whether an option of this name is there.
    public func contains(_ name: String) -> Bool {
        !options(named: name).isEmpty
    }
}
