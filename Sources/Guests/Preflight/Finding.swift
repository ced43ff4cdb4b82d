/// The verdict of one check.
public enum FindingSeverity: String, Sendable, Hashable, CaseIterable, Comparable {
    /// The check passed.
    case pass
    /// A handoff may begin; read the message first.
    case warn
    /// A handoff must not begin.
    case fail

    /// Orders `pass` before `warn` before `fail`.
    public static func < (left: FindingSeverity, right: FindingSeverity) -> Bool {
        left.rank < right.rank
    }

    private var rank: Int {
        switch self {
        case .pass: 0
        case .warn: 1
        case .fail: 2
        }
    }
}

/// The result of one check of a guest or a host.
public struct Finding: Sendable, Hashable {
    /// The permanent name of the check.
    public var id: FindingID
    /// The verdict.
    public var severity: FindingSeverity
    /// What was found, in one sentence.
    public var message: String
    /// Where it was found: the option, the mapping, QEMU's own words; one per line.
    public var evidence: [String]
    /// What to do about it, as a command or a setting; nil if no action is needed.
    public var remedy: String?

    /// Creates a finding.
    ///
    /// - Parameters:
    ///   - id: the permanent name of the check.
    ///   - severity: the verdict.
    ///   - message: what was found, in one sentence.
    ///   - evidence: where it was found.
    ///   - remedy: what to do about it.
    public init(
        _ id: FindingID, _ severity: FindingSeverity, _ message: String, evidence: [String] = [], remedy: String? = nil
    ) {
        self.id = id
        self.severity = severity
        self.message = message
        self.evidence = evidence
        self.remedy = remedy
    }
}

extension Finding: CustomStringConvertible {
    /// The finding on one line: `FAIL ram-not-shared: …`.
    public var description: String { "\(severity.rawValue.uppercased()) \(id): \(message)" }
}

extension Finding {
    /// Converts a problem of the command line; its option becomes the evidence.
    package init(_ problem: LaunchProblem, severity: FindingSeverity) {
        self.init(
            problem.finding, severity, problem.message, evidence: problem.option.map { [$0] } ?? [],
            remedy: problem.remedy.isEmpty ? nil : problem.remedy)
    }
}
