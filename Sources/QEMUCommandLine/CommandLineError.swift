/// Why a command line of QEMU cannot be read.
public struct CommandLineError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of error.
    public enum Code: Sendable, Hashable {
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
    public let code: Code
    /// The index in the argument vector; 0 is the binary.
    public let position: Int
    /// The affected option or line, as written.
    public let subject: String
    /// What is wrong and what to do about it.
    public let message: String

    /// The message, preceded by the position and the option.
    public var description: String {
        "argument \(position) (\(subject)): \(message)"
    }
}
