/// Reads an argument vector option by option, as QEMU's `qemu_init` does.
enum CommandLineParser {
    static func parse(
        _ arguments: [String],
        readConfig: (String) throws -> String
    ) throws(CommandLineError) -> CommandLine {
        guard let executable = arguments.first else {
            throw CommandLineError(
                code: .empty,
                position: 0,
                subject: "",
                message: "The command line is empty. The process has ended, or is a kernel thread."
            )
        }
        var options: [CommandLineOption] = []
        var position = 1
        while position < arguments.count {
            let option = try option(in: arguments, at: &position)
            if option.name == "readconfig", let path = option.value {
                options += try inlined(path, position: position - 2, readConfig: readConfig)
            } else {
                options.append(option)
            }
        }
        return CommandLine(executable: executable, options: options)
    }

    /// Consumes the option at `position`, and its argument.
    private static func option(
        in arguments: [String],
        at position: inout Int
    ) throws(CommandLineError) -> CommandLineOption {
        let word = arguments[position]
        guard word.hasPrefix("-") else {
            position += 1
            return CommandLineOption("", word, form: .positional)
        }
        let doubled = word.hasPrefix("--")
        let name = String(word.dropFirst(doubled ? 2 : 1))
        guard OptionTable.knows(name) else {
            throw CommandLineError(
                code: .unknownOption,
                position: position,
                subject: word,
                message: "QEMU 4.0 to 10.0 have no such option, so it is unknown whether it takes an argument. "
                    + "Start the guest without it, or report it with the version of QEMU that has it."
            )
        }
        position += 1
        guard OptionTable.syntax(of: name) != .flag else {
            return CommandLineOption(name, form: doubled ? .doubleDash : .singleDash)
        }
        guard position < arguments.count else {
            throw CommandLineError(
                code: .argumentMissing,
                position: position - 1,
                subject: word,
                message: "The option needs an argument, but nothing follows it. The process may have overwritten its "
                    + "command line; restart it with a complete one."
            )
        }
        position += 1
        return CommandLineOption(name, arguments[position - 1], form: doubled ? .doubleDash : .singleDash)
    }

    /// Returns the options in a `-readconfig` file.
    private static func inlined(
        _ path: String,
        position: Int,
        readConfig: (String) throws -> String
    ) throws(CommandLineError) -> [CommandLineOption] {
        let text: String
        do {
            text = try readConfig(path)
        } catch {
            throw CommandLineError(
                code: .configUnreadable,
                position: position,
                subject: "-readconfig \(path)",
                message: "Cannot read the file (\(error)). Restore it as it was when QEMU started."
            )
        }
        do {
            return try ConfigFile.options(in: text)
        } catch {
            throw CommandLineError(
                code: .configMalformed,
                position: position,
                subject: "-readconfig \(path), line \(error.line)",
                message: error.message
            )
        }
    }
}
