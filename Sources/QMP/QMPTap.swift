/// Events handed over in the reader thread itself, for as long as this value is kept.
public final class QMPTap: Sendable {
    private let connection: QMPConnection
    private let listener: UInt64

    init(
        _ connection: QMPConnection,
        named names: Set<String>,
        _ handler: @escaping @Sendable (Result<QMPEvent, QMPError>) -> Void
    ) {
        self.connection = connection
        listener = connection.listen(to: names, handler)
    }

    deinit {
        connection.stopListening(listener)
    }

    /// Ends it; a call that is under way in the reader thread may still finish.
    public func cancel() {
        connection.stopListening(listener)
    }
}
