/// A command line of qemu-system-*, parsed as QEMU parses it.
///
/// The options in a `-readconfig FILE` replace that option in its place. Everything else is kept verbatim, so
/// ``arguments`` returns the parsed text until an option is changed.
package struct CommandLine: Sendable, Hashable {
    /// The name under which QEMU was started (argv[0]).
    package var executable: String
    /// The options in order; QEMU processes some in this order.
    package var options: [CommandLineOption]

    /// Creates a command line; `options` must be in the order in which QEMU is to read them.
    package init(executable: String, options: [CommandLineOption]) {
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
    package init(
        arguments: [String],
        readConfig: (String) throws -> String
    ) throws(CommandLineError) {
        self = try CommandLineParser.parse(arguments, readConfig: readConfig)
    }

    /// The argument vector, the binary's name first.
    package var arguments: [String] {
        [executable] + options.flatMap(\.arguments)
    }

    /// Returns the options with this name (`M` is `machine`), in order.
    package func options(named name: String) -> [CommandLineOption] {
        let wanted = OptionTable.canonicalName(name)
        return options.filter { OptionTable.canonicalName($0.name) == wanted }
    }

    /// Returns whether the command line has an option with this name.
    package func contains(_ name: String) -> Bool {
        !options(named: name).isEmpty
    }
}

/// Why a command line of QEMU cannot be read.
package struct CommandLineError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of error.
    package enum Code: Sendable, Hashable {
        /// There is no argument at all, not even the binary's name.
        case empty
        /// The option is in no QEMU that ``OptionTable`` knows, so it is unknown whether the next word is its argument.
        case unknownOption
        /// The option needs an argument and is the last word.
        case argumentMissing
        /// A `-readconfig` file cannot be read.
        case configUnreadable
        /// A `-readconfig` file is not in QEMU's format, or has a group that corresponds to no option.
        case configMalformed
    }

    /// The kind of error.
    package let code: Code
    /// The index in the argument vector; 0 is the binary.
    package let position: Int
    /// The affected option or line, as written.
    package let subject: String
    /// What is wrong and what to do about it.
    package let message: String

    /// The message, preceded by the position and the option.
    package var description: String {
        "argument \(position) (\(subject)): \(message)"
    }
}

/// One option of a QEMU command line with its argument, if it takes one.
package struct CommandLineOption: Sendable, Hashable {
    /// How the option is written.
    package enum Form: Sendable, Hashable {
        /// `-name`, as in QEMU's manual.
        case singleDash
        /// `--name`, which is the same to QEMU.
        case doubleDash
        /// A disk image without an option before it: the same as `-drive file=…,index=0,media=disk`.
        case positional
    }

    /// The option's name without its dashes; empty for a positional disk image.
    package var name: String
    /// The argument as QEMU receives it; nil if the option takes none.
    package var value: String?
    /// How the option is written.
    package var form: Form

    /// Creates an option; does not check that QEMU knows it.
    ///
    /// - Parameters:
    ///   - name: the name without dashes.
    ///   - value: the argument as QEMU receives it, with commas inside values doubled.
    ///   - form: how it is written.
    package init(_ name: String, _ value: String? = nil, form: Form = .singleDash) {
        self.name = name
        self.value = value
        self.form = form
    }

    /// Creates an option whose argument is a list of properties or a JSON object.
    package init(_ name: String, properties: OptionProperties) {
        self.init(name, properties.text)
    }

    /// The argument as a list of properties; nil if QEMU reads it as plain text or there is none.
    ///
    /// Setting it replaces the argument.
    package var properties: OptionProperties? {
        get {
            guard let value, case .properties(let impliedKey, let json) = OptionTable.syntax(of: name) else {
                return nil
            }
            return OptionProperties(parsing: value, impliedKey: impliedKey, allowsJSON: json)
        }
        set {
            value = newValue?.text
        }
    }

    /// The words of this option in the argument vector.
    package var arguments: [String] {
        switch form {
        case .positional: [value ?? ""]
        case .singleDash: ["-" + name] + (value.map { [$0] } ?? [])
        case .doubleDash: ["--" + name] + (value.map { [$0] } ?? [])
        }
    }
}

extension CommandLineOption: CustomStringConvertible {
    /// The option as typed in a shell, such as `-netdev user,id=net0`.
    package var description: String {
        arguments.joined(separator: " ")
    }
}
