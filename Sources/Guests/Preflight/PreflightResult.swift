package import QMP

/// The input of preflight.
package struct PreflightRequest: Sendable {
    /// The guest.
    package var process: GuestProcess
    /// The new binary, by path or by a name in PATH; nil for the file now at the old binary's path.
    package var target: String?
    /// The directory for the journal and QEMU's error log.
    package var stateDirectory: String
    /// Eight hexadecimal digits in lower case, for the temporary names.
    package var handoffID: String
    /// Whether the caller already holds the lock on the guest's memory file.
    package var holdsLock: Bool

    /// Creates a request; the defaults are for the installed binary and a caller without the lock.
    ///
    /// - Parameters:
    ///   - process: the guest.
    ///   - target: the new binary; nil for the installed one.
    ///   - stateDirectory: the directory for the journal and QEMU's error log.
    ///   - handoffID: eight hexadecimal digits in lower case.
    ///   - holdsLock: whether the caller holds the lock on the memory file.
    package init(
        process: GuestProcess, target: String? = nil, stateDirectory: String, handoffID: String, holdsLock: Bool = false
    ) {
        self.process = process
        self.target = target
        self.stateDirectory = stateDirectory
        self.handoffID = handoffID
        self.holdsLock = holdsLock
    }
}

/// The findings of preflight, and the facts for the handoff.
package struct PreflightResult: Sendable {
    /// The findings.
    package internal(set) var report = PreflightReport(findings: [])
    /// The connection to the guest's monitor, which the caller must close; nil if there is none.
    package internal(set) var client: QMPClient?
    /// The monitor of that connection.
    package internal(set) var monitor: MonitorSocket?
    /// The guest as QEMU reports it; nil if QEMU could not be queried.
    package internal(set) var description: GuestDescription?
    /// The path of the new binary, as far as it is known.
    package internal(set) var targetPath: String
    /// How to start the new binary; nil if it cannot be started.
    package internal(set) var target: QEMUBinary?
    /// The version of the new binary.
    package internal(set) var targetVersion: QEMUVersion?
    /// How the new QEMU would be started; nil if no plan was possible.
    ///
    /// There may be one although the report is blocked.
    package internal(set) var plan: LaunchPlan?
    /// The first of the guest's memory files, as reachable from here; its lock represents the guest.
    package internal(set) var memoryFile: String?

    init(targetPath: String) {
        self.targetPath = targetPath
    }
}

/// The findings of preflight for one guest.
package struct PreflightReport: Sendable, Hashable {
    /// The findings: failures first, then warnings, then passes; within each, in the order of the checks.
    package let findings: [Finding]

    /// Sorts findings into a report.
    package init(findings: [Finding]) {
        self.findings =
            findings.filter { $0.severity == .fail } + findings.filter { $0.severity == .warn }
            + findings.filter { $0.severity == .pass }
    }

    /// Whether a handoff must not begin.
    package var isBlocked: Bool { findings.contains { $0.severity == .fail } }

    /// Returns the findings with one verdict.
    package func findings(_ severity: FindingSeverity) -> [Finding] {
        findings.filter { $0.severity == severity }
    }

    /// Returns the verdict of one check, which is its worst finding; nil if the check was not run.
    package func verdict(on id: FindingID) -> FindingSeverity? {
        findings.filter { $0.id == id }.map(\.severity).max()
    }
}
