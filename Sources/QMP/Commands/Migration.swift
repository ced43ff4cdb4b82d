public import JSON

/// `query-migrate`: the status of the migration.
///
/// Since 0.14.
public struct QueryMigrate: QMPCommand {
    /// The reply of `query-migrate`.
    public struct Reply: Sendable, Hashable {
        /// The status; nil if there has been no migration.
        public let status: MigrationStatus?

        /// Why it failed, as readable text; absent in most failures of an incoming migration.
        public let errorDescription: String?

        /// What prevents a migration, as readable text; also set before one is started.
        ///
        /// Since 6.0.
        public let blockedReasons: [String]

        /// The downtime of the guest in milliseconds, as measured by the old side; set once completed.
        public let downtime: Int?

        /// The time from the start to the end, in milliseconds.
        public let totalTime: Int?

        /// The bytes of RAM sent.
        public let transferredRAM: UInt64?

        /// The bytes of RAM still to be sent.
        public let remainingRAM: UInt64?
    }

    /// The command's name in QMP.
    public static let name = "query-migrate"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The status.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        let ram = reply.optional("ram")
        return Reply(
            status: try reply.optional("status")?.enumeration(),
            errorDescription: try reply.optional("error-desc")?.string(),
            blockedReasons: try reply.optional("blocked-reasons")?.strings() ?? [],
            downtime: try reply.optional("downtime")?.int(),
            totalTime: try reply.optional("total-time")?.int(),
            transferredRAM: try ram?.unsigned("transferred"),
            remainingRAM: try ram?.unsigned("remaining")
        )
    }
}

/// `query-migrate-capabilities`: which capabilities are enabled.
///
/// Since 1.2.
public struct QueryMigrateCapabilities: QMPCommand {
    /// Each capability that this QEMU knows, and whether it is enabled.
    public typealias Reply = [String: Bool]

    /// The command's name in QMP.
    public static let name = "query-migrate-capabilities"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The capabilities.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [String: Bool] {
        var capabilities: [String: Bool] = [:]
        for capability in try reply.elements() {
            capabilities[try capability.string("capability")] = try capability.bool("state")
        }
        return capabilities
    }
}

/// `migrate-set-capabilities`: enables and disables capabilities, before a migration is started.
///
/// Since 1.2.
public struct MigrateSetCapabilities: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "migrate-set-capabilities"

    /// The capabilities to enable (true) and disable (false), by QEMU's names.
    public let capabilities: [String: Bool]

    /// Creates the command; capabilities that are not given keep their state.
    ///
    /// - Parameter capabilities: The capabilities to enable (true) and disable (false), by QEMU's names.
    public init(_ capabilities: [String: Bool]) {
        self.capabilities = capabilities
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] {
        let list = capabilities.sorted { $0.key < $1.key }.map { name, state -> JSONValue in
            ["capability": .string(name), "state": .bool(state)]
        }
        return ["capabilities": .array(list)]
    }
}

/// `query-migrate-parameters`: the current parameters.
///
/// Since 2.4.
public struct QueryMigrateParameters: QMPCommand {
    /// The reply of `query-migrate-parameters`.
    public struct Reply: Sendable, Hashable {
        /// The bandwidth limit of the stream, in bytes per second; 0 for none.
        ///
        /// Since 2.8.
        public let maximumBandwidth: UInt64?

        /// The maximum downtime in milliseconds; QEMU delays the switchover while it expects a longer one.
        ///
        /// Since 2.8.
        public let downtimeLimit: Int?

        /// `normal`, `cpr-reboot` or `cpr-transfer`.
        ///
        /// Since 8.2.
        public let mode: String?
    }

    /// The command's name in QMP.
    public static let name = "query-migrate-parameters"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The parameters.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(
            maximumBandwidth: try reply.optional("max-bandwidth")?.unsigned(),
            downtimeLimit: try reply.optional("downtime-limit")?.int(),
            mode: try reply.optional("mode")?.string()
        )
    }
}

/// `migrate-set-parameters`: changes parameters; those not given keep their values.
///
/// Since 2.4.
public struct MigrateSetParameters: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "migrate-set-parameters"

    /// The bandwidth limit of the stream, in bytes per second.
    public let maximumBandwidth: UInt64?

    /// The maximum downtime, in milliseconds, at most 2,000,000.
    public let downtimeLimit: Int?

    /// `normal`, `cpr-reboot` or `cpr-transfer`; QEMU 8.2 and later.
    public let mode: String?

    /// Creates the command; nil keeps the value of a parameter.
    ///
    /// - Parameters:
    ///   - maximumBandwidth: The bandwidth limit of the stream, in bytes per second.
    ///   - downtimeLimit: The maximum downtime, in milliseconds.
    ///   - mode: The mode; must be nil if the schema does not have it.
    public init(maximumBandwidth: UInt64? = nil, downtimeLimit: Int? = nil, mode: String? = nil) {
        self.maximumBandwidth = maximumBandwidth
        self.downtimeLimit = downtimeLimit
        self.mode = mode
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] {
        var arguments: [String: JSONValue] = [:]
        arguments["max-bandwidth"] = maximumBandwidth.map { JSONValue($0) }
        arguments["downtime-limit"] = downtimeLimit.map { .integer(Int64($0)) }
        arguments["mode"] = mode.map { .string($0) }
        return arguments
    }
}

/// `migrate`: starts to send the guest; the reply comes before the migration has ended.
///
/// Since 0.14.
///
/// `MIGRATION` events report its end. Never use an `exec:` address: it kills a QEMU with `-sandbox spawn=deny`.
public struct Migrate: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "migrate"

    /// The destination: `fd:NAME`, `unix:PATH` or `tcp:HOST:PORT`.
    public let uri: String

    /// Creates the command for one destination.
    ///
    /// - Parameter uri: The destination.
    public init(uri: String) {
        self.uri = uri
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["uri": .string(uri)] }

    /// Ten seconds.
    public var deadline: Duration { .seconds(10) }
}

/// `migrate-incoming`: starts to listen, in a QEMU that was started with `-incoming defer`.
///
/// Since 2.3.
public struct MigrateIncoming: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "migrate-incoming"

    /// The source: `fd:NAME`, `unix:PATH` or `tcp:HOST:PORT`.
    public let uri: String

    /// Creates the command for one address.
    ///
    /// - Parameter uri: The source.
    public init(uri: String) {
        self.uri = uri
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["uri": .string(uri)] }

    /// Ten seconds.
    public var deadline: Duration { .seconds(10) }
}

/// `migrate_cancel`: cancels a migration that has not completed; without one it does nothing.
///
/// Since 0.14.
public struct MigrateCancel: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "migrate_cancel"

    /// Creates the command, which takes no parameters.
    public init() {}
}

/// `migrate-continue`: continues a migration that waits in a given state, with `pause-before-switchover`.
///
/// Since 2.11.
public struct MigrateContinue: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "migrate-continue"

    /// The state in which it must be.
    public let state: MigrationStatus

    /// Creates the command for a migration in one state.
    ///
    /// - Parameter state: The state in which it must be.
    public init(state: MigrationStatus) {
        self.state = state
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["state": .string(state.rawValue)] }
}

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
