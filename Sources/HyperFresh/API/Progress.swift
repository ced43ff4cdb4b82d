public import JSON

/// A part of an operation that takes time of its own.
public enum Phase: String, Sendable, Hashable, CaseIterable {
    /// Finding a guest of this host, describing it, checking it, and planning its new QEMU.
    case preflight
    /// Checking that both hypervisors, or both OS VMs, fit, and that nothing prevents the refresh.
    case admission
    /// Starting the new hypervisor or OS VM, until its agent answers.
    case boot
    /// Attaching every guest's memory, disks and networks to the new hypervisor, and finding them there.
    case attach
    /// Preparing the target OS VM of a relocation.
    case prepare
    /// Starting the new side, stopped.
    case launch
    /// Agreeing on how state moves, and proving that both sides have the same memory.
    case link
    /// From the first step of the switch to the subject running on the new side; of a hypervisor, the handoffs of all guests.
    case handover
    /// Ending the old side, or the hypervisor that has no guest left.
    case retire
    /// Moving sockets, pid files, listeners and records to the new side.
    case settle
    /// Removing the new side and restoring the old one, after a failure or a rehearsal.
    case rollback
}

/// How long a phase took.
public struct PhaseTiming: Sendable, Hashable {
    /// Which phase.
    public let phase: Phase
    /// Wall time from its begin to its end, in milliseconds.
    public let milliseconds: Double
}

/// What happens during an operation.
public enum ProgressEvent: Sendable {
    /// A phase has begun.
    case began(Phase)
    /// A phase has ended, successfully or not.
    case ended(PhaseTiming)
    /// Information that changes nothing.
    case note(String)
}

/// What an operation reports in the end.
public protocol OperationReport: JSONRepresentable, Sendable {
    /// The exit status of a command that ended so.
    var exitCode: Int32 { get }
    /// What happened, for a person, if it failed.
    var failure: HyperFreshError? { get }
}

/// What an operation tells while it runs.
///
/// The last element is always ``finished(_:)``.
public enum Progress<Report: OperationReport>: Sendable {
    /// Something happened to the operation itself.
    case event(ProgressEvent)
    /// Something happened to one of its guests or containers, named first.
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
    /// One line of the operation's JSON: `phase`, `note`, `guest`, or at last `result`.
    public var json: JSONValue {
        switch self {
        case .event(let event): event.json
        case .guest(let guest, let event):
            JSONSchema.document(type: "guest", ["guest": .string(guest), "progress": event.json])
        case .finished(let report): report.json
        }
    }
}
