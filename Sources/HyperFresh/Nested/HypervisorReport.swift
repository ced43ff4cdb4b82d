import Hypervisors
public import JSON
import Linux

/// A part of a hypervisor's refresh that takes time of its own.
public enum HypervisorPhase: String, Sendable, Hashable, CaseIterable {
    /// Checking that both hypervisors fit, and that nothing stands in the way.
    case admission
    /// Starting the new hypervisor, until its agent answers.
    case boot
    /// Attaching every guest's memory, disks and networks to it, and finding them there.
    case attach
    /// Handing over every guest: launch, link, switch, retire, settle.
    case handover
    /// Ending the hypervisor that has no guest any more.
    case retire
}

/// What the refresh of a hypervisor tells while it goes on.
///
/// The last element is always ``finished(_:)``.
public enum HypervisorProgress: Sendable {
    /// A phase has begun.
    case began(HypervisorPhase)
    /// A phase has ended, well or not, after so many milliseconds.
    case ended(HypervisorPhase, milliseconds: Double)
    /// Something worth knowing that changes nothing.
    case note(String)
    /// A guest's handoff tells something.
    case guest(String, RefreshProgress)
    /// The refresh is over.
    case finished(HypervisorReport)
}

/// One running hypervisor, as reports name it.
public struct InstanceReport: Sendable, Hashable {
    /// The instance: four hexadecimal digits.
    public let id: String
    /// The QEMU that runs it.
    public let pid: Int32
    /// Its image's folder.
    public let image: String
    /// Its kernel's release.
    public let kernel: String?
    /// The version of the QEMU in it.
    public let qemu: String?

    init(_ record: InstanceRecord) {
        id = record.id
        pid = record.process.pid
        image = record.image
        kernel = record.kernel
        qemu = record.qemu
    }
}

/// How the handoff of one guest of a hypervisor ended, or of one container of an OS VM.
public struct TenantHandover: Sendable {
    /// The guest's name.
    public let guest: String
    /// The handoff's id.
    public internal(set) var id: String?
    /// How it ended.
    public internal(set) var outcome: RefreshOutcome
    /// The moments of the switch, by the arrival of QEMU's events on this host.
    public internal(set) var timing: SwitchTiming?
    /// The phases that were gone through, in order.
    public internal(set) var phases: [PhaseTiming] = []
    /// What took how long while a container stood still, in order, by the clocks of its OS VMs, in milliseconds.
    public internal(set) var steps: [(name: String, milliseconds: Int)] = []
    /// How many bytes of a container each round copied while it ran.
    public internal(set) var copied: [UInt64] = []
    /// From its record to its end, in milliseconds.
    public internal(set) var totalMilliseconds = 0.0
    /// What is worth knowing of a handoff that went well, a sentence each.
    public internal(set) var warnings: [String] = []
    /// What happened, when it did not go well.
    public internal(set) var failure: HyperFreshError?
}

/// The record of the refresh of one hypervisor or OS VM: what `--json` prints last.
public struct HypervisorReport: Sendable {
    let kind: HypervisorKind
    /// Its name.
    public let hypervisor: String
    /// How it ended.
    public internal(set) var outcome: RefreshOutcome = .rolledBack
    /// The instance that had the guests.
    public internal(set) var old: InstanceReport?
    /// The instance that has them now, or would have.
    public internal(set) var new: InstanceReport?
    /// Each guest or container that was to move.
    public internal(set) var guests: [TenantHandover] = []
    /// The phases that were gone through, in order, in milliseconds.
    public internal(set) var phases: [(phase: HypervisorPhase, milliseconds: Double)] = []
    /// From the request to the end, in milliseconds.
    public internal(set) var totalMilliseconds = 0.0
    /// What happened, for a person, when it did not go well.
    public internal(set) var failure: HyperFreshError?

    init(_ kind: HypervisorKind, named name: String) {
        self.kind = kind
        hypervisor = name
    }

    /// What its tenants are, one of them: `guest` or `container`.
    public var tenant: String { kind.tenant }

    /// The exit status of a command that ended so; 64 when there was nothing to work on.
    public var exitCode: Int32 {
        failure?.exitCode == HyperFreshError.usage ? HyperFreshError.usage : outcome.exitCode
    }
}

// MARK: - JSON

extension HypervisorProgress: JSONRepresentable {
    /// One line of the refresh's JSON: `phase`, `note`, `guest`, or at last `result`.
    public var json: JSONValue {
        switch self {
        case .began(let phase):
            JSONSchema.document(type: "phase", ["phase": .string(phase.rawValue), "event": "began"])
        case .ended(let phase, let milliseconds):
            JSONSchema.document(
                type: "phase", ["phase": .string(phase.rawValue), "event": "ended", "ms": .number(milliseconds)])
        case .note(let text): JSONSchema.document(type: "note", ["text": .string(text)])
        case .guest(let guest, let progress):
            JSONSchema.document(type: "guest", ["guest": .string(guest), "progress": progress.json])
        case .finished(let report): report.json
        }
    }
}

extension InstanceReport: JSONRepresentable {
    /// `id`, `pid`, `image`, `kernel`, `qemu`.
    public var json: JSONValue {
        .object(
            [
                "id": .string(id), "pid": .integer(Int64(pid)), "image": .string(image),
                "kernel": kernel.map(JSONValue.string), "qemu": qemu.map(JSONValue.string),
            ].compactMapValues(\.self))
    }
}

extension TenantHandover: JSONRepresentable {
    /// `guest`, `id`, `outcome`, `switch_ms`, `switch`, `total_ms`, `phases`, `warnings`, `error`; of a container, also
    /// `steps` and `copied_bytes`.
    public var json: JSONValue {
        .object(
            [
                "guest": .string(guest), "id": id.map(JSONValue.string), "outcome": .string(outcome.rawValue),
                "switch_ms": timing.map { .number(Double($0.stopToResume) / 1000) }, "switch": timing?.json,
                "total_ms": .number(totalMilliseconds),
                "phases": .array(
                    phases.map { ["name": .string($0.phase.rawValue), "ms": .number($0.milliseconds)] }),
                "steps": steps.isEmpty
                    ? nil : .array(steps.map { ["name": .string($0.name), "ms": .integer(Int64($0.milliseconds))] }),
                "copied_bytes": copied.isEmpty ? nil : .array(copied.map(JSONValue.init)),
                "warnings": .array(warnings.map(JSONValue.string)), "error": failure.map { .object($0.members) },
            ].compactMapValues(\.self))
    }
}

extension HypervisorReport: JSONRepresentable {
    /// The `result` line.
    public var json: JSONValue {
        JSONSchema.document(
            type: "result",
            [
                "operation": .string("refresh \(kind.rawValue)"), "hypervisor": .string(hypervisor),
                "outcome": .string(outcome.rawValue), "exit_code": .integer(Int64(exitCode)),
                "old": old?.json, "new": new?.json, "guests": .array(guests.map(\.json)),
                "total_ms": .number(totalMilliseconds),
                "phases": .array(phases.map { ["name": .string($0.phase.rawValue), "ms": .number($0.milliseconds)] }),
                "error": failure.map { .object($0.members) },
            ])
    }
}
