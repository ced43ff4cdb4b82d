/// `query-status`: whether the guest runs.
///
/// Since 0.14.
public struct QueryStatus: QMPCommand {
    /// The reply of `query-status`.
    public struct Reply: Sendable, Hashable {
        /// Whether the vCPUs run.
        public let isRunning: Bool

        /// The run state, which tells why they do or do not.
        public let state: RunState
    }

    /// The command's name in QMP.
    public static let name = "query-status"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The status.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(isRunning: try reply.bool("running"), state: try reply.member("status").enumeration())
    }
}

/// `stop`: pauses the vCPUs; the `STOP` event comes before the reply.
///
/// Since 0.14.
public struct Stop: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "stop"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Thirty seconds: QEMU waits for pending disk requests.
    public var deadline: Duration { .seconds(30) }
}

/// `cont`: resumes the vCPUs; the `RESUME` event comes before the reply.
///
/// Since 0.14.
public struct Cont: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "cont"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Thirty seconds: QEMU may first have to activate the disk images.
    public var deadline: Duration { .seconds(30) }
}

/// `quit`: terminates QEMU at once, without asking the guest.
///
/// Since 0.14.
///
/// The connection may close before the reply is read.
public struct Quit: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "quit"

    /// Creates the command, which takes no parameters.
    public init() {}
}

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
