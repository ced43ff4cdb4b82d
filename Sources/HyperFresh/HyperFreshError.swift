/// What went wrong, where the guest is now, and what to do.
public struct HyperFreshError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What happened.
    public var message: String
    /// Where the guest is now, and in what state; `nil` where no guest was concerned.
    public var guestState: String?
    /// What to do.
    public var remedy: String
    /// The words of others: QEMU's errors, the new QEMU's standard error, the kernel's reason.
    public var evidence: [String]
    /// The exit status of a command that fails so: 1 failed, 6 an operator must look, 64 usage.
    public var exitCode: Int32

    init(
        _ message: String, guestState: String? = nil, remedy: String, evidence: [String] = [], exitCode: Int32 = 1
    ) {
        self.message = message
        self.guestState = guestState
        self.remedy = remedy
        self.evidence = evidence
        self.exitCode = exitCode
    }

    /// Wraps what another room threw; its own words are the evidence.
    init(_ message: String, because cause: any Error, remedy: String = "`hyperfresh plan guest` checks what stands against it.") {
        self.init(message, remedy: remedy, evidence: ["\(cause)"])
    }

    func adding(evidence lines: [String]) -> HyperFreshError {
        var error = self
        error.evidence += lines
        return error
    }

    /// Message, evidence, guest state and remedy, a line each.
    public var description: String {
        ([message] + evidence.map { "    \($0)" } + [guestState, remedy].compactMap(\.self)).joined(separator: "\n")
    }
}
