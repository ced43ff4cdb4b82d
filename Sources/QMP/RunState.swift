/// Why a guest's vCPUs run or not, as in `query-status` (QEMU's qapi/run-state.json).
public enum RunState: String, Sendable, Hashable, CaseIterable {
    /// Stopped by a debugger.
    case debug

    /// Waits for, or receives, an incoming migration.
    case inmigrate

    /// QEMU cannot continue.
    case internalError = "internal-error"

    /// Stopped by an error of a disk that is configured to stop the guest.
    case ioError = "io-error"

    /// Paused by `stop`, or loaded with `-S`.
    case paused

    /// Paused after an outgoing migration has completed.
    case postmigrate

    /// Not started yet.
    case prelaunch

    /// Paused for the last part of an outgoing migration.
    case finishMigrate = "finish-migrate"

    /// Restoring a snapshot.
    case restoreVM = "restore-vm"

    /// Running.
    case running

    /// Saving a snapshot.
    case saveVM = "save-vm"

    /// The guest has powered off, and QEMU was told not to exit.
    case shutdown

    /// The guest is suspended (ACPI S3).
    case suspended

    /// The guest's watchdog has fired and is configured to pause the guest.
    case watchdog

    /// The guest has reported a panic.
    case guestPanicked = "guest-panicked"

    /// Paused to save or restore the state of a COLO pair.
    case colo

    /// Before the machine is created; only with `--preconfig`, and not part of every QEMU's schema.
    case preconfig
}
