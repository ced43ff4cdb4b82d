public import JSON

/// A running refresh or relocation; it runs whether or not anybody reads its progress.
public struct Operation<Report: OperationReport>: Sendable {
    /// The events, as they happen; ends after ``Progress/finished(_:)``.
    public let progress: AsyncStream<Progress<Report>>

    private let task: Task<Report, Never>
    private let cancellation: @Sendable () -> Void

    /// Starts an operation.
    ///
    /// - Parameters:
    ///   - cancellation: Requests a rollback; may be called from any thread.
    ///   - work: Performs the operation: passes events to `tell` and returns the report.
    init(
        cancellation: @escaping @Sendable () -> Void,
        work: @escaping @Sendable (_ tell: @escaping @Sendable (Progress<Report>) -> Void) async -> Report
    ) {
        let (progress, continuation) = AsyncStream.makeStream(of: Progress<Report>.self, bufferingPolicy: .unbounded)
        self.progress = progress
        self.cancellation = cancellation
        task = Task {
            let report = await work { continuation.yield($0) }
            continuation.yield(.finished(report))
            continuation.finish()
            return report
        }
    }

    /// Rolls back uncommitted work; committed work completes.
    public func cancel() { cancellation() }

    /// Waits for the end.
    ///
    /// - Returns: The report.
    public func report() async -> Report { await task.value }
}

/// A part of an operation whose duration is reported.
public enum Phase: String, Sendable, Hashable, CaseIterable {
    /// Finding a guest of this host, describing it, checking it, and planning its new QEMU.
    case preflight
    /// Checking that both hypervisors, or both OS VMs, match, and that nothing prevents the refresh.
    case admission
    /// Starting the new hypervisor or OS VM, until its agent answers.
    case boot
    /// Attaching every guest's memory, disks and networks to the new hypervisor, and finding them inside it.
    case attach
    /// Preparing the target OS VM of a relocation.
    case prepare
    /// Starting the new side with its vCPUs stopped.
    case launch
    /// Negotiating how state moves, and proving that both sides have the same memory.
    case link
    /// From the first step of the switch to the subject running on the new side; for a hypervisor, the handoffs of all
    /// guests.
    case handover
    /// Ending the old side, or the hypervisor that no longer has a guest.
    case retire
    /// Moving sockets, pid files, listeners and records to the new side.
    case settle
    /// Removing the new side and restoring the old one, after a failure or a rehearsal.
    case rollback
}

/// The duration of a phase.
public struct PhaseTiming: Sendable, Hashable {
    /// The phase.
    public let phase: Phase
    /// Wall-clock time from its beginning to its end, in milliseconds.
    public let milliseconds: Double
}

/// An event during an operation.
public enum ProgressEvent: Sendable {
    /// A phase has begun.
    case began(Phase)
    /// A phase has ended, successfully or not.
    case ended(PhaseTiming)
    /// Information that changes nothing.
    case note(String)
}

/// The final report of an operation.
public protocol OperationReport: JSONRepresentable, Sendable {
    /// The exit status of a command with this result.
    var exitCode: Int32 { get }
    /// The error, if the operation failed.
    var failure: HyperFreshError? { get }
}

/// A progress element of an operation.
///
/// The last element is always ``finished(_:)``.
public enum Progress<Report: OperationReport>: Sendable {
    /// An event of the operation itself.
    case event(ProgressEvent)
    /// An event of one of its guests or containers, whose name comes first.
    case guest(String, ProgressEvent)
    /// The operation is over.
    case finished(Report)
}

extension ProgressEvent: JSONRepresentable {
    /// A `phase` or `note` document.
    public var json: JSONValue {
        switch self {
        case .began(let phase):
            JSONSchema.document(type: "phase", ["phase": .string(phase.rawValue), "event": "began"])
        case .ended(let timing):
            JSONSchema.document(
                type: "phase",
                ["phase": .string(timing.phase.rawValue), "event": "ended", "ms": .number(timing.milliseconds)])
        case .note(let text): JSONSchema.document(type: "note", ["text": .string(text)])
        }
    }
}

extension Progress: JSONRepresentable {
    /// One line of the operation's JSON: `phase`, `note`, `guest`, or finally `result`.
    public var json: JSONValue {
        switch self {
        case .event(let event): event.json
        case .guest(let guest, let event):
            JSONSchema.document(type: "guest", ["guest": .string(guest), "progress": event.json])
        case .finished(let report): report.json
        }
    }
}
