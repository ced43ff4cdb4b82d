public import JSON

/// The container to relocate, its target, and limits.
public struct RelocationRequest: Sendable {
    /// The container's name.
    public var container: String
    /// The target OS VM.
    public var target: String
    /// The OS VM that is expected to have the container; `nil` for any.
    public var source: String?
    /// Whether to stop at an image store with a copy of the container's memory and remove it again; the container is
    /// never frozen.
    public var isRehearsal = false
    /// The longest time that the container may be stopped before it is rolled back.
    public var maximumDowntime: Duration = .seconds(30)
    /// The longest time from the request to the commit.
    public var timeout: Duration = .seconds(300)

    /// Creates a request with the default limits.
    ///
    /// - Parameters:
    ///   - container: The container's name.
    ///   - target: The target OS VM.
    public init(container: String, to target: String) {
        self.container = container
        self.target = target
    }
}

/// The report of one relocation: the last line that `--json` prints.
public struct RelocationReport: OperationReport {
    /// The container's name.
    public let container: String
    /// The OS VM that had it; `nil` if none was found.
    public internal(set) var from: String?
    /// The target OS VM.
    public let to: String
    /// The outcome of the relocation.
    public internal(set) var outcome: RefreshOutcome = .blocked
    /// The instance of the OS VM that had it.
    public internal(set) var old: InstanceReport?
    /// The instance of the OS VM that has it now, or would have.
    public internal(set) var new: InstanceReport?
    /// The handoff; `nil` if none began.
    public internal(set) var handover: HandoffReport?
    /// From the request to the end, in milliseconds.
    public internal(set) var totalMilliseconds = 0.0
    /// The error, if the relocation failed.
    public internal(set) var failure: HyperFreshError?

    /// The exit status of a command with this result; 64 if the request names nothing to work on.
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
