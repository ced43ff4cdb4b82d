/// Why a guest's vCPUs run or not, as `query-status` says it (QEMU's qapi/run-state.json).
public enum RunState: String, Sendable, Hashable, CaseIterable {
    /// Stopped by a debugger.
    case debug

    /// Waits for, or takes in, an incoming migration.
    case inmigrate

    /// QEMU cannot go on.
    case internalError = "internal-error"

    /// Stopped by an error of a disk that is set to stop.
    case ioError = "io-error"

    /// Paused by `stop`, or loaded with `-S`.
    case paused

    /// Paused after a migration away has completed.
    case postmigrate

    /// Not started yet.
    case prelaunch

    /// Paused for the last part of a migration away.
    case finishMigrate = "finish-migrate"

    /// Restores a snapshot.
    case restoreVM = "restore-vm"

    /// Runs.
    case running

    /// Saves a snapshot.
    case saveVM = "save-vm"

    /// The guest has powered off, and QEMU was told to stay.
    case shutdown

    /// The guest sleeps (ACPI S3).
    case suspended

    /// The guest's watchdog has fired and is set to pause.
    case watchdog

    /// The guest has reported a panic.
    case guestPanicked = "guest-panicked"

    /// Paused to save or restore the state of a COLO pair.
    case colo

    /// Before the machine is made; with `--preconfig` only, and not part of every QEMU's schema.
    case preconfig
}
