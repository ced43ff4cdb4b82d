internal import JSON

/// `query-version`: the QEMU that answers.
///
/// Since 0.14.
public struct QueryVersion: QMPCommand {
    /// QEMU's name of the command.
    public static let name = "query-version"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The version.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> QEMUVersion {
        try QEMUVersion(from: reply)
    }
}

/// `query-name`: the guest's name as `-name` gave it.
///
/// Since 0.14.
public struct QueryName: QMPCommand {
    /// QEMU's name of the command.
    public static let name = "query-name"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The name; nil when the guest has none.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> String? {
        try reply.optional("name")?.string()
    }
}

/// `query-uuid`: the guest's UUID, all zeros when `-uuid` gave none.
///
/// Since 0.14.
public struct QueryUUID: QMPCommand {
    /// QEMU's name of the command.
    public static let name = "query-uuid"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The UUID in lower case with dashes.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> String {
        try reply.string("UUID")
    }
}

/// `query-kvm`: whether the guest runs on KVM.
///
/// Since 0.14.
public struct QueryKVM: QMPCommand {
    /// What `query-kvm` says.
    public struct Reply: Sendable, Hashable {
        /// Whether this guest runs on KVM.
        public let isEnabled: Bool

        /// Whether this QEMU was built with KVM.
        public let isPresent: Bool
    }

    /// QEMU's name of the command.
    public static let name = "query-kvm"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: Whether KVM is there and used.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(isEnabled: try reply.bool("enabled"), isPresent: try reply.bool("present"))
    }
}

/// `query-machines`: the machine types that this QEMU can be.
///
/// Since 1.2.
public struct QueryMachines: QMPCommand {
    /// One machine type.
    public struct Machine: Sendable, Hashable {
        /// Its versioned name, such as `pc-q35-7.2`.
        public let name: String

        /// The name that stands for it without a version, such as `q35`.
        public let alias: String?

        /// Whether it is taken when `-machine` names none.
        public let isDefault: Bool

        /// The largest number of vCPUs.
        public let maximumCPUs: Int

        /// Whether QEMU plans to drop it.
        ///
        /// Since 4.1.
        public let isDeprecated: Bool

        /// The id of the RAM block that `-m` makes, such as `pc.ram`.
        ///
        /// Since 5.2.
        public let defaultRAMID: String?
    }

    /// QEMU's name of the command.
    public static let name = "query-machines"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The machine types.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [Machine] {
        try reply.map { machine throws(QMPError) in
            Machine(
                name: try machine.string("name"),
                alias: try machine.optional("alias")?.string(),
                isDefault: try machine.optional("is-default")?.bool() ?? false,
                maximumCPUs: try machine.int("cpu-max"),
                isDeprecated: try machine.optional("deprecated")?.bool() ?? false,
                defaultRAMID: try machine.optional("default-ram-id")?.string()
            )
        }
    }
}

/// `query-cpus-fast`: the vCPUs, without interrupting them.
///
/// Since 2.12.
public struct QueryCPUsFast: QMPCommand {
    /// One vCPU.
    public struct CPU: Sendable, Hashable {
        /// Its number, from 0.
        public let index: Int

        /// Its place in QEMU's object tree.
        public let qomPath: String

        /// Its thread on the host.
        public let threadID: Int

        /// The instruction set, such as `x86_64`.
        public let target: String
    }

    /// QEMU's name of the command.
    public static let name = "query-cpus-fast"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The vCPUs.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [CPU] {
        try reply.map { cpu throws(QMPError) in
            CPU(
                index: try cpu.int("cpu-index"),
                qomPath: try cpu.string("qom-path"),
                threadID: try cpu.int("thread-id"),
                target: try cpu.string("target")
            )
        }
    }
}

/// `query-hotpluggable-cpus`: the places for vCPUs, taken and free.
///
/// Since 2.7.
///
/// Some machine types have none and refuse it.
public struct QueryHotpluggableCPUs: QMPCommand {
    /// One place.
    public struct Slot: Sendable, Hashable {
        /// The device that fits, such as `qemu64-x86_64-cpu`.
        public let type: String

        /// How many vCPUs one such device has.
        public let vcpusCount: Int

        /// `socket-id`, `core-id`, `thread-id` and so on, as `device_add` takes them.
        public let properties: [String: Int]

        /// What is in it; nil when it is free.
        public let qomPath: String?
    }

    /// QEMU's name of the command.
    public static let name = "query-hotpluggable-cpus"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The places.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [Slot] {
        try reply.map { slot throws(QMPError) in
            Slot(
                type: try slot.string("type"),
                vcpusCount: try slot.int("vcpus-count"),
                properties: try slot.member("props").value.object?.compactMapValues(\.int) ?? [:],
                qomPath: try slot.optional("qom-path")?.string()
            )
        }
    }
}
