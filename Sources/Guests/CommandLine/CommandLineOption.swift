/// One option of a QEMU command line with its argument, if it takes one.
public struct CommandLineOption: Sendable, Hashable {
    /// How the option is written.
    public enum Form: Sendable, Hashable {
        /// `-name`, as in QEMU's manual.
        case singleDash
        /// `--name`, which QEMU treats the same.
        case doubleDash
        /// A disk image without an option before it: the same as `-drive file=…,index=0,media=disk`.
        case positional
    }

    /// The option's name without its dashes; empty for a positional disk image.
    public var name: String
    /// The argument as QEMU gets it, nil where the option takes none.
    public var value: String?
    /// How the option is written.
    public var form: Form

    /// Makes an option.
    ///
    /// - Parameters:
    ///   - name: the name without dashes.
    ///   - value: the argument as QEMU gets it, with commas inside values doubled.
    ///   - form: how it is written.
    public init(_ name: String, _ value: String? = nil, form: Form = .singleDash) {
        self.name = name
        self.value = value
        self.form = form
    }

    /// Makes an option with a list of properties.
    public init(_ name: String, properties: OptionProperties) {
        self.init(name, properties.text)
    }

    /// The argument as a list of properties; nil where QEMU reads the argument as plain text or there is none.
    ///
    /// Setting it writes the argument anew.
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

    /// The words of the argument vector that this option takes.
    public var arguments: [String] {
        switch form {
        case .positional: [value ?? ""]
        case .singleDash: ["-" + name] + (value.map { [$0] } ?? [])
        case .doubleDash: ["--" + name] + (value.map { [$0] } ?? [])
        }
    }
}

extension CommandLineOption: CustomStringConvertible {
    /// The option as one would type it, such as `-netdev user,id=net0`.
    public var description: String {
        arguments.joined(separator: " ")
    }
}
