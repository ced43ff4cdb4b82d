/// One option of a QEMU command line with its argument, if it takes one.
public struct CommandLineOption: Sendable, Hashable {
    /// How the option is written.
    public enum Form: Sendable, Hashable {
        /// `-name`, as in QEMU's manual.
        case singleDash
        /// `--name`, which is the same to QEMU.
        case doubleDash
        /// A disk image without an option before it: the same as `-drive file=…,index=0,media=disk`.
        case positional
    }

    /// The option's name without its dashes; empty for a positional disk image.
    public var name: String
    /// The argument as QEMU receives it; nil if the option takes none.
    public var value: String?
    /// How the option is written.
    public var form: Form

    /// Creates an option; does not check that QEMU knows it.
    ///
    /// - Parameters:
    ///   - name: the name without dashes.
    ///   - value: the argument as QEMU receives it, with commas inside values doubled.
    ///   - form: how it is written.
    public init(_ name: String, _ value: String? = nil, form: Form = .singleDash) {
        self.name = name
        self.value = value
        self.form = form
    }

    /// Creates an option whose argument is a list of properties or a JSON object.
    public init(_ name: String, properties: OptionProperties) {
        self.init(name, properties.text)
    }

    /// The argument as a list of properties; nil if QEMU reads it as plain text or there is none.
    ///
    /// Setting it replaces the argument.
    public var properties: OptionProperties? {
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
    public var arguments: [String] {
        switch form {
        case .positional: [value ?? ""]
        case .singleDash: ["-" + name] + (value.map { [$0] } ?? [])
        case .doubleDash: ["--" + name] + (value.map { [$0] } ?? [])
        }
    }
}

extension CommandLineOption: CustomStringConvertible {
    /// The option as typed in a shell, such as `-netdev user,id=net0`.
    public var description: String {
        arguments.joined(separator: " ")
    }
}
