/// What preflight found of a guest.
public struct PreflightReport: Sendable, Hashable {
    /// The findings: failures first, then warnings, then what is in order; within those in the order of the checks.
    public let findings: [Finding]

    /// Sorts findings into a report.
    public init(findings: [Finding]) {
        self.findings =
            findings.filter { $0.severity == .fail } + findings.filter { $0.severity == .warn }
            + findings.filter { $0.severity == .pass }
    }

    /// Whether a refresh must not begin.
    public var isBlocked: Bool { findings.contains { $0.severity == .fail } }

    /// The findings of one verdict.
    public func findings(_ severity: FindingSeverity) -> [Finding] {
        findings.filter { $0.severity == severity }
    }

    /// The verdict on one check: its worst finding; nil when it was not made.
    public func verdict(on id: FindingID) -> FindingSeverity? {
        findings.filter { $0.id == id }.map(\.severity).max()
    }
}
