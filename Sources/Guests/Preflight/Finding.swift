/// The verdict of one check.
public enum FindingSeverity: String, Sendable, Hashable, CaseIterable, Comparable {
    /// Checked and in order.
    case pass
    /// A refresh may begin; what is said should be known before.
    case warn
    /// A refresh must not begin.
    case fail

    /// `pass` before `warn` before `fail`.
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

/// What one check of a guest or a host found.
public struct Finding: Sendable, Hashable {
    /// The lasting name of the check.
    public var id: FindingID
    /// The verdict.
    public var severity: FindingSeverity
    /// What was found, in a sentence.
    public var message: String
    /// Where it was seen: the option, the mapping, QEMU's own words; a line each.
    public var evidence: [String]
    /// What to do about it, as a command or a setting; nil where nothing has to be done.
    public var remedy: String?

    /// Makes a finding.
    ///
    /// - Parameters:
    ///   - id: the lasting name of the check.
    ///   - severity: the verdict.
    ///   - message: what was found, in a sentence.
    ///   - evidence: where it was seen.
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
    /// One line: `FAIL ram-not-shared: …`.
    public var description: String { "\(severity.rawValue.uppercased()) \(id): \(message)" }
}

extension Finding {
    /// A problem of the command line as a finding.
    public init(_ problem: LaunchProblem, severity: FindingSeverity) {
        self.init(
            problem.finding, severity, problem.message, evidence: problem.option.map { [$0] } ?? [],
            remedy: problem.remedy.isEmpty ? nil : problem.remedy)
    }
}
