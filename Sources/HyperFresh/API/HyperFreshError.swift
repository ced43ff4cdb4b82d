import JSON
public import QMP
import VirtualMachines

/// An error with the state of the guest and a remedy.
public struct HyperFreshError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The failure, in one sentence.
    public var message: String
    /// Where the guest is now, and in which state; `nil` if no guest is affected.
    public var guestState: String?
    /// How to fix it, as an instruction.
    public var remedy: String
    /// Messages from elsewhere: QEMU's errors, the new QEMU's standard error, the kernel's reason.
    public var evidence: [String]
    /// The exit status of a command that fails with this error: 1 failed, 6 an operator must look, 64 usage.
    public var exitCode: Int32

    /// The exit status for arguments that name nothing to work on (sysexits.h, EX_USAGE).
    static let usage: Int32 = 64
    /// The remedy for a failure of QEMU whose reason is in the evidence.
    static let retry = "Fix the reason above, then run the refresh again. `hyperfresh history --json` has the details."

    init(
        _ message: String, guestState: String? = nil, remedy: String, evidence: [String] = [], exitCode: Int32 = 1
    ) {
        self.message = message
        self.guestState = guestState
        self.remedy = remedy
        self.evidence = evidence
        self.exitCode = exitCode
    }

    /// Wraps an error of another module; its text is the evidence.
    init(_ message: String, because cause: any Error, remedy: String, exitCode: Int32 = 1) {
        self.init(message, remedy: remedy, evidence: ["\(cause)"], exitCode: exitCode)
    }

    /// Converts an error of an operation in a hypervisor or OS VM.
    ///
    /// - Parameters:
    ///   - error: The error.
    ///   - place: What the operation was for, such as `guest web`; the message begins with it.
    init(_ error: HypervisorError, in place: String) {
        let message = error.message.contains(place) ? error.message : "\(place): \(error.message)"
        self.init(message, remedy: error.remedy, evidence: error.evidence)
    }

    /// Converts a monitor's refusal, or the reason why it could not be asked.
    ///
    /// - Parameter error: The error of the QMP client.
    /// - Returns: An error with exit status 6 if a command was sent whose result is unknown and that may have changed
    ///   something, else 1.
    public static func monitor(_ error: QMPError) -> HyperFreshError {
        let evidence = error.refusal.map { ["\($0.errorClass): \($0.text)"] } ?? []
        let name = (error.command?["execute"] ?? error.command?["exec-oob"])?.string ?? ""
        let look = "`hyperfresh qmp \(error.endpoint) query-status`"
        if error.leavesFateUnknown, !name.hasPrefix("query-") {
            return HyperFreshError(
                error.message, guestState: "It is unknown whether QEMU executed '\(name)'; it may still do so.",
                remedy: """
                    Before you send it again, run \(look): it shows whether QEMU answers and the guest's state.
                    """,
                evidence: evidence, exitCode: RefreshOutcome.unknown.exitCode)
        }
        if error.code == .refused {
            return HyperFreshError(
                error.message, guestState: "QEMU did not execute the command.",
                remedy: """
                    Correct the command; `hyperfresh qmp \(error.endpoint) query-commands` lists the available ones.
                    """,
                evidence: evidence)
        }
        return HyperFreshError(
            error.message, guestState: "hyperfresh sent no command that changes anything.",
            remedy: name.isEmpty
                ? "Try again when the monitor is free." : "Try again; \(look) shows whether QEMU answers.",
            evidence: evidence)
    }

    /// Makes an error about arguments that name nothing to work on.
    ///
    /// - Parameters:
    ///   - message: The problem with the arguments.
    ///   - remedy: The correct arguments.
    /// - Returns: An error with exit status 64.
    public static func misuse(_ message: String, remedy: String) -> HyperFreshError {
        HyperFreshError(message, remedy: remedy, exitCode: usage)
    }

    func adding(evidence lines: [String]) -> HyperFreshError {
        var error = self
        error.evidence += lines
        return error
    }

    /// Message, evidence, guest state and remedy, one line each.
    public var description: String {
        ([message] + evidence.map { "    \($0)" } + [guestState, remedy].compactMap(\.self)).joined(separator: "\n")
    }
}
