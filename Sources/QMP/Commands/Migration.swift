public import JSON

/// `query-migrate`: how the migration stands.
///
/// Since 0.14.
public struct QueryMigrate: QMPCommand {
    /// What `query-migrate` says.
    public struct Reply: Sendable, Hashable {
        /// The state; nil when there has been no migration.
        public let status: MigrationStatus?

        /// Why it failed, for people; absent in most failures of an incoming migration.
        public let errorDescription: String?

        /// What forbids a migration, for people; also before one is started.
        ///
        /// Since 6.0.
        public let blockedReasons: [String]

        /// How long the guest was stopped, in milliseconds, as the old side knows it; once completed.
        public let downtime: Int?

        /// From the start to the end, in milliseconds.
        public let totalTime: Int?

        /// The bytes of RAM that were sent.
        public let transferredRAM: UInt64?

        /// The bytes of RAM that are left to send.
        public let remainingRAM: UInt64?
    }

    /// QEMU's name of the command.
    public static let name = "query-migrate"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The state.
    /// - Throws: `unusableReply`.
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

/// `query-migrate-capabilities`: what is on and off.
///
/// Since 1.2.
public struct QueryMigrateCapabilities: QMPCommand {
    /// Each capability that this QEMU knows, and whether it is on.
    public typealias Reply = [String: Bool]

    /// QEMU's name of the command.
    public static let name = "query-migrate-capabilities"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The capabilities.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [String: Bool] {
        var capabilities: [String: Bool] = [:]
        for capability in try reply.elements() {
            capabilities[try capability.string("capability")] = try capability.bool("state")
        }
        return capabilities
    }
}

/// `migrate-set-capabilities`: turns capabilities on and off, before a migration is started.
///
/// Since 1.2.
public struct MigrateSetCapabilities: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "migrate-set-capabilities"

    /// The capabilities to turn on and off, by QEMU's names.
    public let capabilities: [String: Bool]

    /// Makes the command.
    ///
    /// - Parameter capabilities: The capabilities to turn on and off, by QEMU's names.
    public init(_ capabilities: [String: Bool]) {
        self.capabilities = capabilities
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] {
        let list = capabilities.sorted { $0.key < $1.key }.map { name, state -> JSONValue in
            ["capability": .string(name), "state": .bool(state)]
        }
        return ["capabilities": .array(list)]
    }
}

/// `query-migrate-parameters`: the parameters as they are.
///
/// Since 2.4.
public struct QueryMigrateParameters: QMPCommand {
    /// What `query-migrate-parameters` says.
    public struct Reply: Sendable, Hashable {
        /// The cap on the stream, in bytes a second; 0 for none.
        ///
        /// Since 2.8.
        public let maximumBandwidth: UInt64?

        /// How long the guest may be stopped, in milliseconds, before the switch is put off.
        ///
        /// Since 2.8.
        public let downtimeLimit: Int?

        /// `normal`, `cpr-reboot` or `cpr-transfer`.
        ///
        /// Since 8.2.
        public let mode: String?
    }

    /// QEMU's name of the command.
    public static let name = "query-migrate-parameters"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The parameters.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(
            maximumBandwidth: try reply.optional("max-bandwidth")?.unsigned(),
            downtimeLimit: try reply.optional("downtime-limit")?.int(),
            mode: try reply.optional("mode")?.string()
        )
    }
}

/// `migrate-set-parameters`: changes parameters; those not given stay.
///
/// Since 2.4.
public struct MigrateSetParameters: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "migrate-set-parameters"

    /// The cap on the stream, in bytes a second.
    public let maximumBandwidth: UInt64?

    /// How long the guest may be stopped, in milliseconds, at most 2,000,000.
    public let downtimeLimit: Int?

    /// `normal`, `cpr-reboot` or `cpr-transfer`; QEMU 8.2 and later.
    public let mode: String?

    /// Makes the command.
    ///
    /// - Parameters:
    ///   - maximumBandwidth: The cap on the stream, in bytes a second.
    ///   - downtimeLimit: How long the guest may be stopped, in milliseconds.
    ///   - mode: The mode; leave it out where the schema does not have it.
    public init(maximumBandwidth: UInt64? = nil, downtimeLimit: Int? = nil, mode: String? = nil) {
        self.maximumBandwidth = maximumBandwidth
        self.downtimeLimit = downtimeLimit
        self.mode = mode
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] {
        var arguments: [String: JSONValue] = [:]
        arguments["max-bandwidth"] = maximumBandwidth.map { JSONValue($0) }
        arguments["downtime-limit"] = downtimeLimit.map { .integer(Int64($0)) }
        arguments["mode"] = mode.map { .string($0) }
        return arguments
    }
}

/// `migrate`: starts to send the guest away; the reply comes before the migration has ended.
///
/// Since 0.14.
///
/// Where it ends is told by `MIGRATION` events. Never use an `exec:` address: a QEMU with `-sandbox spawn=deny` is killed
/// by it.
public struct Migrate: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "migrate"

    /// Where to: `fd:NAME`, `unix:PATH` or `tcp:HOST:PORT`.
    public let uri: String

    /// Makes the command.
    ///
    /// - Parameter uri: Where to.
    public init(uri: String) {
        self.uri = uri
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["uri": .string(uri)] }

    /// Ten seconds.
    public var deadline: Duration { .seconds(10) }
}

/// `migrate-incoming`: starts to listen, in a QEMU that was started with `-incoming defer`.
///
/// Since 2.3.
public struct MigrateIncoming: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "migrate-incoming"

    /// Where from: `fd:NAME`, `unix:PATH` or `tcp:HOST:PORT`.
    public let uri: String

    /// Makes the command.
    ///
    /// - Parameter uri: Where from.
    public init(uri: String) {
        self.uri = uri
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["uri": .string(uri)] }

    /// Ten seconds.
    public var deadline: Duration { .seconds(10) }
}

/// `migrate_cancel`: gives up a migration that has not completed; without one it does nothing.
///
/// Since 0.14.
public struct MigrateCancel: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "migrate_cancel"

    /// Makes the command.
    public init() {}
}

/// `migrate-continue`: lets a migration go on that waits in a given state, with `pause-before-switchover`.
///
/// Since 2.11.
public struct MigrateContinue: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "migrate-continue"

    /// The state it has to be in.
    public let state: MigrationStatus

    /// Makes the command.
    ///
    /// - Parameter state: The state it has to be in.
    public init(state: MigrationStatus) {
        self.state = state
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["state": .string(state.rawValue)] }
}
