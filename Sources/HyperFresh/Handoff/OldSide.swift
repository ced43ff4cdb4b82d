import QMP

/// Restoring an old QEMU, for a handoff that failed and for recovery alike.
enum OldSide {
    /// Cancels what goes on, lets the guest run if it was stopped for the switch, and puts settings back.
    ///
    /// A guest that has come to its own end, as `endedGuest` says last of all, is left stopped. A migration that is not ours
    /// is somebody else's to cancel, and so is the pause that it brought.
    ///
    /// - Returns: What a person should know.
    @discardableResult
    static func restore(
        _ client: QMPClient, settings: MigrationLink.Settings?, resume: Bool, isOurs: Bool = true,
        endedGuest: () -> EndedGuest? = { nil }
    ) async throws(QMPError) -> String? {
        if isOurs { try await endMigration(client) }
        let isRunning = try await client.execute(QueryStatus()).isRunning
        // Only now has all been heard that QEMU said before it answered.
        if let ended = endedGuest() {
            // A guest that QEMU stopped before it looked at its wish to power off runs again by itself when the migration fails.
            if isRunning, ended.wasStopped { _ = try await client.execute(Stop()) }
        } else if isOurs, resume, !isRunning {
            _ = try await client.execute(Cont())
        }
        guard let settings else { return nil }
        return try await MigrationLink.restore(settings, on: client)
    }

    /// A QEMU in `finish-migrate` does not notice that its peer died; cancelling lets its guest run again by itself.
    private static func endMigration(_ client: QMPClient) async throws(QMPError) {
        for attempt in 0..<500 {
            let status = try await client.execute(QueryMigrate()).status
            guard let status, status != .none, !status.isFinal else { return }
            if attempt == 0 { _ = try await client.execute(MigrateCancel()) }
            try? await Task.sleep(for: .milliseconds(10))
        }
        throw QMPError(.timeout, "the migration could not be cancelled within five seconds", endpoint: client.endpoint)
    }
}
