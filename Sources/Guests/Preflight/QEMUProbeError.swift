/// Why a binary cannot be the new QEMU.
///
/// Its process has ended.
public struct QEMUProbeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of error.
    public enum Code: String, Sendable, Hashable {
        /// No file exists at the path, or under the name in PATH.
        case missing
        /// It is not a regular file that may be executed.
        case notExecutable
        /// Users other than root and the guest's can change it, and it would run with our privileges.
        case notTrusted
        /// The kernel refuses to start it; for example, it is for another processor.
        case notStarted
        /// It exits at once, before it answers.
        case exited
        /// It does not answer in time.
        case hangs
        /// It runs, but is not a QEMU system emulator.
        case notQEMU
        /// A wrapper that starts QEMU as a child instead of becoming it (`exec`).
        case wrapperDoesNotExec
    }

    /// The kind of error.
    public let code: Code
    /// The path as given, or as found in PATH.
    public let path: String
    /// What happened.
    public let message: String
    /// The last five lines of the program's output.
    public let evidence: [String]

    init(_ code: Code, path: String, _ message: String, evidence: String = "") {
        self.code = code
        self.path = path
        self.message = message
        self.evidence = evidence.split(whereSeparator: \.isNewline).suffix(5).map(String.init)
    }

    /// The path and the message.
    public var description: String { "\(path): \(message)" }
}
