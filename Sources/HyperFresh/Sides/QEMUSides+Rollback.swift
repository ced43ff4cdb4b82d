import Glibc
import Guests
import Handoff
import Linux
import QMP
import Synchronization

/// Before commit, and only then: the new side goes, the old one is as it was.
extension QEMUSides {
    func removeNew() async -> HandoffEvent {
        scene.clock.begin(.rollback)
        let (handle, errorOutput) = state.withLock { ($0.newHandle, $0.errorOutput) }
        if let handle {
            // What a wrapper has started goes with it.
            handle.endSession()
            guard await handle.waitForExit(within: .seconds(10)) else {
                scene.fail(
                    HyperFreshError(
                        "the new QEMU (pid \(handle.identity.pid)) cannot be ended",
                        remedy: "See what holds it (a disk that does not answer?), then run `hyperfresh recover`."))
                return .newSurvived
            }
        }
        EndpointFiles.discard(plan.endpoints)
        scene.explain(errorOutput?.lines() ?? [])
        errorOutput?.discard()
        return .newRemoved
    }

    /// Older QEMUs (7.2) forget that a guest was paused when they fail to hand it over.
    private static let postmigrateNote = """
        The guest was paused and still is, but QEMU calls it `postmigrate` now, and hands such a guest over only once it \
        has run (`cont`).
        """

    /// The new side's process is gone: nobody else can run the guest.
    func restoreOld(resume: Bool) async -> HandoffEvent {
        defer { scene.clock.end() }
        do {
            let warning = try await OldSide.restore(
                old.client, settings: state.withLock { $0.oldSettings }, resume: resume,
                isOurs: state.withLock { $0.transfer }?.mayHaveBegun ?? false, endedGuest: { self.endedGuest })
            if let warning { scene.warn(warning) }
            let isHandedOver = try await old.client.execute(QueryStatus()).state == .postmigrate
            if isHandedOver, endedGuest == nil { scene.warn(Self.postmigrateNote) }
            return .oldRestored
        } catch {
            scene.fail(
                HyperFreshError(
                    "the old QEMU could not be restored", because: error,
                    remedy: "Look at it (`hyperfresh qmp`), then run `hyperfresh recover`."))
            // What cannot answer because it is dead is no riddle.
            if await old.handle.waitForExit(within: .milliseconds(200)) { scene.driver.happened(.oldExited) }
            return .restoreFailed
        }
    }
}

/// Bringing an old QEMU back, for a handoff that failed and for recovery alike.
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
