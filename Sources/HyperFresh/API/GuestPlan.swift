public import Guests
public import JSON
import Systemd
import Linux

/// What `hyperfresh plan guest` found: whether a refresh may begin, and how the new QEMU would be started.
public struct GuestPlan: Sendable, JSONRepresentable {
    /// The guest's name.
    public let guest: String
    /// Its QEMU's process id.
    public let pid: Int32
    /// The binary of the new QEMU.
    public let target: String
    /// Failures first, then warnings, then what is in order.
    public let findings: [Finding]
    /// The argument vector of the new QEMU; `nil` where none could be made.
    public let arguments: [String]?

    init(_ preparation: HostGuestAdmission) {
        guest = preparation.process.name
        pid = preparation.process.identity.pid
        target = preparation.target
        findings = preparation.findings
        arguments = preparation.plan.map { [$0.executable] + $0.arguments.dropFirst() }
    }

    /// Whether something stands in the way.
    public var isBlocked: Bool { findings.contains { $0.severity == .fail } }

    /// The new QEMU's command line, quoted for a shell.
    public var shellCommandLine: String? { arguments.map(ShellWords.join) }

    /// A `plan` document.
    public var json: JSONValue {
        JSONSchema.document(
            type: "plan",
            [
                "guest": .string(guest), "pid": .integer(Int64(pid)), "target": .string(target),
                "blocked": .bool(isBlocked), "findings": .array(findings.map(\.json)),
                "arguments": arguments.map { .array($0.map(JSONValue.string)) },
            ])
    }
}

/// Text as a shell reads it.
public enum ShellText {
    /// Splits a line into words at blanks; quotes and backslashes as in a shell (`g_shell_parse_argv`).
    ///
    /// - Parameter line: The line.
    /// - Returns: Its words.
    /// - Throws: If a quote is not closed.
    public static func split(_ line: String) throws(HyperFreshError) -> [String] {
        if line.allSatisfy(\.isWhitespace) { return [] }
        guard let words = ShellWords.split(line) else {
            throw HyperFreshError("a quote is not closed", remedy: "Close it, or write \\\" for a quote itself.")
        }
        return words
    }
}
