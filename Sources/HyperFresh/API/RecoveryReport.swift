import Handoff
public import JSON

/// The result of a recovery.
public struct RecoverySummary: Sendable, JSONRepresentable {
    /// One report for each handoff that was unfinished.
    public let handoffs: [RecoveryReport]
    /// Other repairs, one sentence each: records that were rebuilt, hypervisors that a refresh had left without guests.
    public let cleanUps: [String]
    /// Problems that could not be repaired; nothing was changed there.
    public let problems: [RecoveryProblem]

    /// The highest of all: 0 settled; 6 a guest is lost, or an operator must look.
    public var exitCode: Int32 {
        problems.isEmpty ? handoffs.map(\.exitCode).max() ?? 0 : RefreshOutcome.unknown.exitCode
    }

    /// `items` with the handoffs, `clean_ups`, `problems`.
    public var json: JSONValue {
        JSONSchema.document(
            type: "recovery",
            [
                "items": .array(handoffs.map(\.json)), "clean_ups": .array(cleanUps.map(JSONValue.string)),
                "problems": .array(problems.map(\.json)),
            ])
    }
}

/// A problem that recovery could not repair.
public struct RecoveryProblem: Sendable, JSONRepresentable {
    /// The affected record or process, such as `the placement of alpha`.
    public let subject: String
    /// The problem, the processes that run, and the remedy.
    public let error: HyperFreshError

    init(_ subject: String, _ error: HyperFreshError) {
        self.subject = subject
        self.error = error
    }

    /// `subject`, and the members of an error.
    public var json: JSONValue { .object(error.members.merging(["subject": .string(subject)]) { $1 }) }
}

/// The result of recovering an unfinished handoff.
public struct RecoveryReport: Sendable, JSONRepresentable {
    /// The handoff's id.
    public let id: String
    /// The guest's name.
    public let guest: String
    /// The last state in the journal.
    public let recorded: String
    /// Where the guest is now.
    public let outcome: RefreshOutcome
    /// The observation and the actions, in a sentence.
    public let summary: String
    /// The remaining actions for an operator.
    public let remedy: String?
    /// Whether nothing remains to be done for this handoff.
    public let isSettled: Bool

    /// 0 settled; 6 the guest is lost, or an operator must look.
    public var exitCode: Int32 { isSettled && outcome.exitCode != 6 ? 0 : 6 }

    static func recover(_ entry: HandoffEntry) async -> RecoveryReport {
        let conclusion = await entry.recover()
        return RecoveryReport(
            id: entry.id, guest: entry.subject?.name ?? "?", recorded: entry.state?.rawValue ?? "?", conclusion)
    }

    /// `id`, `guest`, `recorded`, `outcome`, `summary`, `remedy`, `settled`.
    public var json: JSONValue {
        .object(
            [
                "id": .string(id), "guest": .string(guest), "recorded": .string(recorded),
                "outcome": .string(outcome.rawValue), "summary": .string(summary), "settled": .bool(isSettled),
                "remedy": remedy.map(JSONValue.string),
            ].compactMapValues(\.self))
    }
}

extension RecoveryReport {
    init(id: String, guest: String, recorded: String, _ conclusion: HandoffRecovery.Conclusion) {
        self.init(
            id: id, guest: guest, recorded: recorded, outcome: conclusion.outcome,
            summary: conclusion.summary, remedy: conclusion.remedy,
            isSettled: conclusion.final != nil || conclusion.isSettled)
    }
}
