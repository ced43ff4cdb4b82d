import QMP

/// Restoring an old QEMU, for a handoff that failed and for recovery alike.
enum OldSide {
    /// Cancels a migration in progress, resumes the guest if it was stopped for the switch, and restores the settings.
    ///
    /// Leaves the guest stopped if it has ended; `endedGuest` is asked last. Leaves a migration of somebody else alone,
    /// and the pause that it caused.
    ///
    /// - Returns: A warning for the operator, if there is one.
    @discardableResult
    static func restore(
        _ client: QMPClient, settings: MigrationLink.Settings?, resume: Bool, isOurs: Bool = true,
        endedGuest: () -> EndedGuest? = { nil }
    ) async throws(QMPError) -> String? {
        if isOurs { try await endMigration(client) }
        let isRunning = try await client.execute(QueryStatus()).isRunning
        // Only now have all events arrived that QEMU sent before its answer.
        if let ended = endedGuest() {
            // QEMU resumes a guest when the migration fails, if it stopped the guest before it processed its power-off.
            if isRunning, ended.wasStopped { _ = try await client.execute(Stop()) }
        } else if isOurs, resume, !isRunning {
            _ = try await client.execute(Cont())
        }
        guard let settings else { return nil }
        return try await MigrationLink.restore(settings, on: client)
    }

    /// Cancels the migration: a QEMU in `finish-migrate` does not notice that its peer died.
    ///
    /// A QEMU whose migration is cancelled resumes its guest automatically.
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
