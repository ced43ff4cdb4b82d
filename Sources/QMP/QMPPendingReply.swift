public import JSON

/// A command that has been written, and whose reply can be awaited.
public struct QMPPendingReply: Sendable {
    let id: UInt64
    let slot: ReplySlot
    let connection: QMPConnection

    /// Waits for the reply.
    ///
    /// - Returns: The value of `return`.
    /// - Throws: `refused`, `timeout` (the deadline counts from the writing), `disconnected`; `cancelled` if the task
    ///   is cancelled, for every waiter of this reply: QEMU may still execute the command.
    public func value() async throws(QMPError) -> JSONValue {
        let outcome = await withTaskCancellationHandler {
            await slot.outcome()
        } onCancel: {
            connection.cancel(id)
        }
        return try outcome.get()
    }
}
