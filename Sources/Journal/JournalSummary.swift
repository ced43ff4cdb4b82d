/// One handoff among those on record.
public struct JournalSummary: Sendable, Hashable {
    /// What its journal holds.
    public let reading: JournalReading

    /// Whether a controller is writing the journal now.
    public let isActive: Bool

    /// The handoff.
    public var id: String { reading.id }

    /// The state last recorded; nil when not even the first record is whole.
    public var state: String? { reading.state }

    /// When the handoff began, in microseconds since 1970; nil when not even the first record is whole.
    public var began: Int64? { reading.records.first?.time }
}
