/// A subscription whose handler runs in the reader thread; it ends when it is released.
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

    /// Ends the subscription; a call that is running in the reader thread may still finish.
    public func cancel() {
        connection.stopListening(listener)
    }
}
