public import JSON

/// One step of a handoff as it was recorded.
public struct JournalRecord: Sendable, Hashable {
    /// Its place in the journal, from 0.
    public let sequence: Int

    /// The raw value of the handoff's state that was entered, or was about to be.
    public let state: String

    /// When it was recorded, in microseconds since 1970.
    public let time: Int64

    /// Whatever else the controller has to remember.
    public let facts: [String: JSONValue]

    init(sequence: Int, state: String, time: Int64, facts: [String: JSONValue]) {
        self.sequence = sequence
        self.state = state
        self.time = time
        self.facts = facts
    }
}
