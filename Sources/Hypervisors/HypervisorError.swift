/// Why something could not be done to a hypervisor or in it, and what to do.
public struct HypervisorError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What happened.
    public var message: String
    /// What to do.
    public var remedy: String
    /// The words of others: the kernel's, QEMU's, the hypervisor's console.
    public var evidence: [String]

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - message: What happened.
    ///   - remedy: What to do.
    ///   - evidence: The words of others.
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
