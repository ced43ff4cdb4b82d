/// The status of a migration, as in `query-migrate` and the `MIGRATION` event (QEMU's qapi/migration.json).
public enum MigrationStatus: String, Sendable, Hashable, CaseIterable {
    /// There has been no migration.
    case none

    /// Being prepared.
    case setup

    /// Being cancelled.
    case cancelling

    /// Cancelled; the old side has the guest.
    case cancelled

    /// In progress.
    case active

    /// The new side already runs while memory is still arriving; since 10.1, the state before that.
    case postcopyDevice = "postcopy-device"

    /// The new side runs while memory is still arriving.
    case postcopyActive = "postcopy-active"

    /// Post-copy has lost its connection.
    case postcopyPaused = "postcopy-paused"

    /// Post-copy prepares to continue.
    case postcopyRecoverSetup = "postcopy-recover-setup"

    /// Post-copy continues over a new connection.
    case postcopyRecover = "postcopy-recover"

    /// Completed; does not prove that RAM has arrived if RAM was left out of the stream.
    case completed

    /// Failing; not final yet.
    case failing

    /// Failed.
    case failed

    /// A COLO pair is being kept synchronised.
    case colo

    /// Waits for `migrate-continue` before the switchover.
    case preSwitchover = "pre-switchover"

    /// Device state is being sent, with `pause-before-switchover`.
    case device

    /// Waits for the guest to release devices.
    case waitUnplug = "wait-unplug"

    /// Whether the status is final.
    public var isFinal: Bool { [.completed, .failed, .cancelled].contains(self) }
}
