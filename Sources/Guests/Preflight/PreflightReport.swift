/// The findings of preflight for one guest.
public struct PreflightReport: Sendable, Hashable {
    /// The findings: failures first, then warnings, then passes; within each, in the order of the checks.
    public let findings: [Finding]

    /// Sorts findings into a report.
    public init(findings: [Finding]) {
        self.findings =
            findings.filter { $0.severity == .fail } + findings.filter { $0.severity == .warn }
            + findings.filter { $0.severity == .pass }
    }

    /// Whether a handoff must not begin.
    public var isBlocked: Bool { findings.contains { $0.severity == .fail } }

    /// Returns the findings with one verdict.
    public func findings(_ severity: FindingSeverity) -> [Finding] {
        findings.filter { $0.severity == severity }
    }

    /// Returns the verdict of one check, which is its worst finding; nil if the check was not run.
    public func verdict(on id: FindingID) -> FindingSeverity? {
        findings.filter { $0.id == id }.map(\.severity).max()
    }
}
