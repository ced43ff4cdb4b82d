public import JSON

/// An event from QEMU.
public struct QMPEvent: Sendable, Hashable {
    /// The event's name in QMP, such as `STOP`, `RESUME`, `MIGRATION`, `SHUTDOWN`.
    public let name: String

    /// The event's data; empty for many.
    public let data: [String: JSONValue]

    /// When QEMU emitted it.
    public let timestamp: QMPTimestamp

    /// Creates an event, as if QEMU had emitted it.
    ///
    /// - Parameters:
    ///   - name: The event's name in QMP.
    ///   - data: The event's data.
    ///   - timestamp: When QEMU emitted it.
    public init(name: String, data: [String: JSONValue] = [:], timestamp: QMPTimestamp) {
        self.name = name
        self.data = data
        self.timestamp = timestamp
    }
}
