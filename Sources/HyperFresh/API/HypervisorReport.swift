public import JSON
import Linux
import StackFile
import VirtualMachines

/// One running hypervisor, as reports name it.
public struct InstanceReport: Sendable, Hashable {
    /// The instance's id: four hexadecimal digits.
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

/// The report of a refresh of a hypervisor or OS VM: the last line that `--json` prints.
public struct HypervisorReport: OperationReport {
    let kind: HypervisorKind
    /// The name of the hypervisor or OS VM.
    public let hypervisor: String
    /// The outcome of the refresh.
    public internal(set) var outcome: RefreshOutcome = .rolledBack
    /// The instance that had the guests.
    public internal(set) var old: InstanceReport?
    /// The instance that has them now, or would have.
    public internal(set) var new: InstanceReport?
    /// One report for each guest or container that was to move.
    public internal(set) var guests: [HandoffReport] = []
    /// The phases of the refresh, in order.
    public internal(set) var phases: [PhaseTiming] = []
    /// From the request to the end, in milliseconds.
    public internal(set) var totalMilliseconds = 0.0
    /// The error, if the refresh failed.
    public internal(set) var failure: HyperFreshError?

    init(_ kind: HypervisorKind, named name: String) {
        self.kind = kind
        hypervisor = name
    }

    /// The noun for one of its guests or containers: `guest` or `container`.
    public var tenant: String { kind.tenant }

    /// The exit status of a command with this result; 64 if the request names nothing to work on.
    public var exitCode: Int32 {
        failure?.exitCode == HyperFreshError.usage ? HyperFreshError.usage : outcome.exitCode
    }
}

// MARK: - JSON

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
                "phases": phases.json,
                "error": failure.map { .object($0.members) },
            ])
    }
}
