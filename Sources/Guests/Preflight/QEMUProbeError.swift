/// Why a binary cannot be the new QEMU.
///
/// Nothing of it is left running.
public struct QEMUProbeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is the matter with it.
    public enum Code: String, Sendable, Hashable {
        /// Nothing is at the path, or nothing by the name in PATH.
        case missing
        /// It is no regular file that may be executed.
        case notExecutable
        /// Others than root and the guest's user can change it, and it would run with our rights.
        case notTrusted
        /// The kernel refuses to start it, such as a binary for another processor.
        case notStarted
        /// It ends at once, before it says what it is.
        case exited
        /// It does not answer in time.
        case hangs
        /// It runs, but is not a QEMU system emulator.
        case notQEMU
        /// A wrapper that starts QEMU as a child instead of becoming it (`exec`).
        case wrapperDoesNotExec
    }

    /// What is the matter with it.
    public let code: Code
    /// The path as given, or as found in PATH.
    public let path: String
    /// What happened.
    public let message: String
    /// What the program said, its last lines.
    public let evidence: [String]

    init(_ code: Code, path: String, _ message: String, evidence: String = "") {
        self.code = code
        self.path = path
        self.message = message
        self.evidence = evidence.split(whereSeparator: \.isNewline).suffix(5).map(String.init)
    }

    /// The path and what happened.
    public var description: String { "\(path): \(message)" }
}
