public import Guests
public import JSON
import Linux
import QMP
import Systemd

/// A line of `hyperfresh list`.
public struct GuestSummary: Sendable, Hashable, JSONRepresentable {
    /// The guest's name.
    public let name: String
    /// Its QEMU's process id.
    public let pid: Int32
    /// The path of the running binary; `nil` if it may not be read.
    public let binary: String?
    /// The running version; `nil` if it is unknown.
    public let runningVersion: String?
    /// The version that is now at the same path; `nil` if nothing is there.
    public let installedVersion: String?
    /// Whether the running file is no longer at its path, because it was upgraded or removed.
    public let isBinaryDeleted: Bool
    /// The path of its QMP socket.
    public let qmp: String?
    /// The first reason that prevents a refresh, as far as it can be found without touching the guest; `nil` for none.
    public let obstacle: Finding?

    static func all() async throws(HyperFreshError) -> [GuestSummary] {
        do {
            return try await GuestDiscovery.all().map(GuestSummary.init)
        } catch {
            throw HyperFreshError(
                "cannot list the QEMUs of this host", because: error,
                remedy: "Mount /proc, then try again.")
        }
    }

    init(_ guest: GuestProcess) {
        name = guest.name
        pid = guest.identity.pid
        binary = guest.executable?.path
        runningVersion = guest.runningVersion?.description
        installedVersion = guest.installedVersion?.description
        isBinaryDeleted = guest.isBinaryDeleted
        qmp = guest.monitors.first?.path
        obstacle = Preflight.glance(at: guest).first
    }

    /// `name`, `pid`, `binary`, `running`, `installed`, `binary_deleted`, `qmp`, `refreshable`, `obstacle`.
    public var json: JSONValue {
        .object(
            [
                "name": .string(name), "pid": .integer(Int64(pid)), "binary": binary.map(JSONValue.string),
                "running": runningVersion.map(JSONValue.string), "installed": installedVersion.map(JSONValue.string),
                "binary_deleted": .bool(isBinaryDeleted), "qmp": qmp.map(JSONValue.string),
                "refreshable": .bool(obstacle == nil), "obstacle": obstacle?.json,
            ].compactMapValues(\.self))
    }
}

/// The result of `hyperfresh plan guest`: whether a refresh may begin, and how the new QEMU would be started.
public struct GuestPlan: Sendable, JSONRepresentable {
    /// The guest's name.
    public let guest: String
    /// Its QEMU's process id.
    public let pid: Int32
    /// The binary of the new QEMU.
    public let target: String
    /// Failures first, then warnings, then passed checks.
    public let findings: [Finding]
    /// The argument vector of the new QEMU; `nil` if none could be made.
    public let arguments: [String]?

    init(_ preparation: HostGuestAdmission) {
        guest = preparation.process.name
        pid = preparation.process.identity.pid
        target = preparation.target
        findings = preparation.findings
        arguments = preparation.plan.map { [$0.executable] + $0.arguments.dropFirst() }
    }

    /// Whether a finding prevents the refresh.
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

/// Splitting of text into words by the rules of a shell.
public enum ShellText {
    /// Splits a line into words at blanks; treats quotes and backslashes as a shell does (`g_shell_parse_argv`).
    ///
    /// - Parameter line: The line.
    /// - Returns: Its words.
    /// - Throws: If a quote is not closed.
    public static func split(_ line: String) throws(HyperFreshError) -> [String] {
        if line.allSatisfy(\.isWhitespace) { return [] }
        guard let words = ShellWords.split(line) else {
            throw HyperFreshError("a quote is not closed", remedy: "Close it, or write \\\" for a literal quote.")
        }
        return words
    }
}
