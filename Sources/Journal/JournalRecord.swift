package import JSON

/// One recorded step of a handoff.
package struct JournalRecord: Sendable, Hashable {
    /// Its place in the journal, from 0.
    package let sequence: Int

    /// The raw value of the state that the handoff entered, or was about to enter.
    package let state: String

    /// When it was recorded, in microseconds since 1970.
    package let time: Int64

    /// Other facts that the controller has to remember.
    package let facts: [String: JSONValue]

    init(sequence: Int, state: String, time: Int64, facts: [String: JSONValue]) {
        self.sequence = sequence
        self.state = state
        self.time = time
        self.facts = facts
    }
}

/// One handoff on record.
package struct JournalSummary: Sendable, Hashable {
    /// The contents of its journal.
    package let reading: JournalReading

    /// Whether a controller is writing the journal now.
    package let isActive: Bool

    /// The handoff's id.
    package var id: String { reading.id }

    /// The last recorded state; nil if not even the first record is intact.
    package var state: String? { reading.state }

    /// The time of the first record, in microseconds since 1970; nil if not even that one is intact.
    package var began: Int64? { reading.records.first?.time }
}
