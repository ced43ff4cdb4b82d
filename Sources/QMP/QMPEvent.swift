public import JSON

/// Something that QEMU reports unasked.
public struct QMPEvent: Sendable, Hashable {
    /// QEMU's name for it, such as `STOP`, `RESUME`, `MIGRATION`, `SHUTDOWN`.
    public let name: String

    /// What belongs to it; empty for many.
    public let data: [String: JSONValue]

    /// When QEMU emitted it.
    public let timestamp: QMPTimestamp

    /// Makes an event.
    ///
    /// - Parameters:
    ///   - name: QEMU's name for it.
    ///   - data: What belongs to it.
    ///   - timestamp: When QEMU emitted it.
    public init(name: String, data: [String: JSONValue] = [:], timestamp: QMPTimestamp) {
        self.name = name
        self.data = data
        self.timestamp = timestamp
    }
}
