import JSON
public import QMP

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

    /// The exit status for a command that names nothing that could be worked on (sysexits.h, EX_USAGE).
    static let usage: Int32 = 64

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
    init(
        _ message: String, because cause: any Error,
        remedy: String = "`hyperfresh plan guest` checks what stands against it.", exitCode: Int32 = 1
    ) {
        self.init(message, remedy: remedy, evidence: ["\(cause)"], exitCode: exitCode)
    }

    /// What a monitor refused, or why it could not be asked.
    ///
    /// - Parameter error: The monitor's own words.
    /// - Returns: The same as this module's error; its exit status is 6 where a command was sent whose fate is unknown, and
    ///   which may have changed something.
    public static func monitor(_ error: QMPError) -> HyperFreshError {
        let evidence = error.refusal.map { ["\($0.errorClass): \($0.text)"] } ?? []
        let name = (error.command?["execute"] ?? error.command?["exec-oob"])?.string ?? ""
        let look = "`hyperfresh qmp \(error.endpoint) query-status`"
        if error.leavesFateUnknown, !name.hasPrefix("query-") {
            return HyperFreshError(
                error.message, guestState: "Whether QEMU carried '\(name)' out is unknown; it may still do so.",
                remedy: """
                    Look before you send it again: \(look) tells whether QEMU answers, and in which state the guest is.
                    """,
                evidence: evidence, exitCode: RefreshOutcome.unknown.exitCode)
        }
        if error.code == .refused {
            return HyperFreshError(
                error.message, guestState: "QEMU did not carry the command out.",
                remedy: """
                    Correct the command; `hyperfresh qmp \(error.endpoint) query-commands` lists those that it has.
                    """,
                evidence: evidence)
        }
        return HyperFreshError(
            error.message, guestState: "Nothing was sent to QEMU that changes anything.",
            remedy: name.isEmpty
                ? "Try again when the monitor is free." : "Try again; \(look) tells whether QEMU answers.",
            evidence: evidence)
    }

    /// Arguments that name nothing that could be done.
    ///
    /// - Parameters:
    ///   - message: What is wrong with them.
    ///   - remedy: What to write instead.
    /// - Returns: An error with exit status 64.
    public static func misuse(_ message: String, remedy: String) -> HyperFreshError {
        HyperFreshError(message, remedy: remedy, exitCode: usage)
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
