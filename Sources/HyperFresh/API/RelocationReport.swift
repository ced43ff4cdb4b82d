public import JSON

/// Which container to relocate, where to, and within which bounds.
public struct RelocationRequest: Sendable {
    /// The container's name.
    public var container: String
    /// The OS VM that is to have it.
    public var target: String
    /// The OS VM that is expected to have it; `nil` for whichever has.
    public var source: String?
    /// Go as far as an image store with a copy of its memory, remove it again, never freeze the container.
    public var isRehearsal = false
    /// How long the container may stand still before it is rolled back.
    public var maximumDowntime: Duration = .seconds(30)
    /// How long the whole may take up to the commit.
    public var timeout: Duration = .seconds(300)

    /// A request with the default bounds.
    ///
    /// - Parameters:
    ///   - container: The container's name.
    ///   - target: The OS VM that is to have it.
    public init(container: String, to target: String) {
        self.container = container
        self.target = target
    }
}

/// The record of one relocation: what `--json` prints last.
public struct RelocationReport: OperationReport {
    /// The container's name.
    public let container: String
    /// The OS VM that had it; `nil` where none was found.
    public internal(set) var from: String?
    /// The OS VM that was to have it.
    public let to: String
    /// How it ended.
    public internal(set) var outcome: RefreshOutcome = .blocked
    /// The instance of the OS VM that had it.
    public internal(set) var old: InstanceReport?
    /// The instance of the OS VM that has it now, or would have.
    public internal(set) var new: InstanceReport?
    /// The handoff; `nil` where it did not come to one.
    public internal(set) var handover: HandoffReport?
    /// From the request to the end, in milliseconds.
    public internal(set) var totalMilliseconds = 0.0
    /// What happened, for a person, when it did not go well.
    public internal(set) var failure: HyperFreshError?

    /// The exit status of a command that ended so; 64 when there was nothing to work on.
    public var exitCode: Int32 {
        failure?.exitCode == HyperFreshError.usage ? HyperFreshError.usage : outcome.exitCode
    }
}

// MARK: - JSON

extension RelocationReport: JSONRepresentable {
    /// The `result` line.
    public var json: JSONValue {
        JSONSchema.document(
            type: "result",
            [
                "operation": "relocate container", "container": .string(container), "from": from.map(JSONValue.string),
                "to": .string(to), "outcome": .string(outcome.rawValue), "exit_code": .integer(Int64(exitCode)),
                "old": old?.json, "new": new?.json, "handover": handover?.json, "total_ms": .number(totalMilliseconds),
                "error": failure.map { .object($0.members) },
            ])
    }
}
