/// An operation on a hypervisor, or inside it, that failed: the reason and a remedy.
public struct HypervisorError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What happened.
    public var message: String
    /// What to do.
    public var remedy: String
    /// Output of other programs: the kernel, QEMU, the hypervisor's console.
    public var evidence: [String]

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - message: What happened.
    ///   - remedy: What to do.
    ///   - evidence: Output of other programs, one line each.
    public init(_ message: String, remedy: String, evidence: [String] = []) {
        self.message = message
        self.remedy = remedy
        self.evidence = evidence
    }

    /// Message, evidence and remedy, a line each.
    public var description: String {
        ([message] + evidence.map { "    \($0)" } + [remedy]).joined(separator: "\n")
    }
}
