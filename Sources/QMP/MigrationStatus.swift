/// How a migration stands, as `query-migrate` and the `MIGRATION` event say it (QEMU's qapi/migration.json).
public enum MigrationStatus: String, Sendable, Hashable, CaseIterable {
    /// There has been none.
    case none

    /// Is being prepared.
    case setup

    /// Is being given up.
    case cancelling

    /// Was given up; the old side has the guest.
    case cancelled

    /// Under way.
    case active

    /// The new side already runs while memory is still coming; since 10.1 before that.
    case postcopyDevice = "postcopy-device"

    /// The new side runs while memory is still coming.
    case postcopyActive = "postcopy-active"

    /// Post-copy has lost its connection.
    case postcopyPaused = "postcopy-paused"

    /// Post-copy prepares to go on.
    case postcopyRecoverSetup = "postcopy-recover-setup"

    /// Post-copy goes on over a new connection.
    case postcopyRecover = "postcopy-recover"

    /// Done. It does not prove that RAM has arrived where RAM was left out of the stream.
    case completed

    /// Is failing; not final yet.
    case failing

    /// Has failed.
    case failed

    /// A COLO pair is kept in step.
    case colo

    /// Waits for `migrate-continue` before the switch.
    case preSwitchover = "pre-switchover"

    /// Device state is being sent, with `pause-before-switchover`.
    case device

    /// Waits for the guest to give devices up.
    case waitUnplug = "wait-unplug"

    /// Whether nothing more will happen to it.
    public var isFinal: Bool { [.completed, .failed, .cancelled].contains(self) }
}
