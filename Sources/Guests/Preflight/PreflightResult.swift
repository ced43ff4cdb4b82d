public import QMP

/// What preflight was asked.
public struct PreflightRequest: Sendable {
    /// The guest.
    public var process: GuestProcess
    /// The new binary, by path or by a name in PATH; nil for the file that stands where the old one was started from.
    public var target: String?
    /// Where the journal and QEMU's error log go.
    public var stateDirectory: String
    /// Eight hexadecimal digits in lower case, for the temporary names.
    public var handoffID: String
    /// Whether the caller holds the lock on the guest's memory file already.
    public var holdsLock: Bool

    /// Makes a request.
    ///
    /// - Parameters:
    ///   - process: the guest.
    ///   - target: the new binary; nil for the installed one.
    ///   - stateDirectory: where the journal and QEMU's error log go.
    ///   - handoffID: eight hexadecimal digits in lower case.
    ///   - holdsLock: whether the caller holds the lock on the memory file.
    public init(
        process: GuestProcess, target: String? = nil, stateDirectory: String, handoffID: String, holdsLock: Bool = false
    ) {
        self.process = process
        self.target = target
        self.stateDirectory = stateDirectory
        self.handoffID = handoffID
        self.holdsLock = holdsLock
    }
}

/// What preflight found, and what a refresh goes on with.
public struct PreflightResult: Sendable {
    /// The findings.
    public internal(set) var report = PreflightReport(findings: [])
    /// The connection to the guest's monitor, for the caller to close; nil where there is none.
    public internal(set) var client: QMPClient?
    /// The monitor that it leads to.
    public internal(set) var monitor: MonitorSocket?
    /// What QEMU says of the guest; nil where it could not be asked.
    public internal(set) var description: GuestDescription?
    /// The path of the new binary, as far as it is known.
    public internal(set) var targetPath: String
    /// How to start the new binary; nil where it cannot be started.
    public internal(set) var target: QEMUBinary?
    /// The version of the new binary.
    public internal(set) var targetVersion: QEMUVersion?
    /// How the new QEMU would be started; nil where no plan could be made.
    ///
    /// There may be one although the report blocks.
    public internal(set) var plan: LaunchPlan?
    /// The first of the guest's memory files, as reachable from here: its lock stands for the guest.
    public internal(set) var memoryFile: String?

    init(targetPath: String) {
        self.targetPath = targetPath
    }
}
