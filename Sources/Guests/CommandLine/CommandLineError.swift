/// Why a command line of QEMU cannot be read.
public struct CommandLineError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: Sendable, Hashable {
        /// There is no argument at all, not even the binary's name.
        case empty
        /// The option is in no QEMU that this table knows, so nobody can say whether the next word belongs to it.
        case unknownOption
        /// The option needs an argument and is the last word.
        case argumentMissing
        /// A `-readconfig` file cannot be read.
        case configUnreadable
        /// A `-readconfig` file is not in QEMU's format, or names a group without an option of its own.
        case configMalformed
    }

    /// What is wrong.
    public let code: Code
    /// The index in the argument vector, 0 being the binary.
    public let position: Int
    /// The option or line in question as it is written.
    public let subject: String
    /// What happened and what to do about it, in a sentence or two.
    public let message: String

    /// What happened, where, and what to do about it.
    public var description: String {
        "argument \(position) (\(subject)): \(message)"
    }
}
