public import JSON

/// One recorded step of a handoff.
public struct JournalRecord: Sendable, Hashable {
    /// Its place in the journal, from 0.
    public let sequence: Int

    /// The raw value of the state that the handoff entered, or was about to enter.
    public let state: String

    /// When it was recorded, in microseconds since 1970.
    public let time: Int64

    /// Other facts that the controller has to remember.
    public let facts: [String: JSONValue]

    init(sequence: Int, state: String, time: Int64, facts: [String: JSONValue]) {
        self.sequence = sequence
        self.state = state
        self.time = time
        self.facts = facts
    }
}

/// One handoff on record.
public struct JournalSummary: Sendable, Hashable {
    /// The contents of its journal.
    public let reading: JournalReading

    /// Whether a controller is writing the journal now.
    public let isActive: Bool

    /// The handoff's id.
    public var id: String { reading.id }

    /// The last recorded state; nil if not even the first record is intact.
    public var state: String? { reading.state }

    /// The time of the first record, in microseconds since 1970; nil if not even that one is intact.
    public var began: Int64? { reading.records.first?.time }
}
