internal import JSON

/// `query-version`: the version of this QEMU.
///
/// Since 0.14.
public struct QueryVersion: QMPCommand {
    /// The command's name in QMP.
    public static let name = "query-version"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The version.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> QEMUVersion {
        try QEMUVersion(from: reply)
    }
}

/// `query-name`: the guest's name from `-name`.
///
/// Since 0.14.
public struct QueryName: QMPCommand {
    /// The command's name in QMP.
    public static let name = "query-name"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The name; nil if the guest has none.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> String? {
        try reply.optional("name")?.string()
    }
}

/// `query-uuid`: the guest's UUID; all zeros without `-uuid`.
///
/// Since 0.14.
public struct QueryUUID: QMPCommand {
    /// The command's name in QMP.
    public static let name = "query-uuid"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The UUID in lower case with dashes.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> String {
        try reply.string("UUID")
    }
}

/// `query-kvm`: whether the guest runs on KVM.
///
/// Since 0.14.
public struct QueryKVM: QMPCommand {
    /// The reply of `query-kvm`.
    public struct Reply: Sendable, Hashable {
        /// Whether this guest runs on KVM.
        public let isEnabled: Bool

        /// Whether this QEMU was built with KVM.
        public let isPresent: Bool
    }

    /// The command's name in QMP.
    public static let name = "query-kvm"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: Whether KVM is available and used.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(isEnabled: try reply.bool("enabled"), isPresent: try reply.bool("present"))
    }
}

/// `query-machines`: the machine types that this QEMU supports.
///
/// Since 1.2.
public struct QueryMachines: QMPCommand {
    /// One machine type.
    public struct Machine: Sendable, Hashable {
        /// Its versioned name, such as `pc-q35-7.2`.
        public let name: String

        /// Its alias without a version, such as `q35`.
        public let alias: String?

        /// Whether QEMU uses it if `-machine` names none.
        public let isDefault: Bool

        /// The maximum number of vCPUs.
        public let maximumCPUs: Int

        /// Whether QEMU has deprecated it.
        ///
        /// Since 4.1.
        public let isDeprecated: Bool

        /// The id of the RAM block that `-m` creates, such as `pc.ram`.
        ///
        /// Since 5.2.
        public let defaultRAMID: String?
    }

    /// The command's name in QMP.
    public static let name = "query-machines"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The machine types.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
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

/// `query-cpus-fast`: the vCPUs; does not interrupt them.
///
/// Since 2.12.
public struct QueryCPUsFast: QMPCommand {
    /// One vCPU.
    public struct CPU: Sendable, Hashable {
        /// Its number, from 0.
        public let index: Int

        /// Its path in QEMU's object tree.
        public let qomPath: String

        /// The id of its thread on the host.
        public let threadID: Int

        /// The instruction set, such as `x86_64`.
        public let target: String
    }

    /// The command's name in QMP.
    public static let name = "query-cpus-fast"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The vCPUs.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
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

/// `query-hotpluggable-cpus`: the CPU slots, occupied and free.
///
/// Since 2.7.
///
/// Some machine types have none and refuse the command.
public struct QueryHotpluggableCPUs: QMPCommand {
    /// One slot.
    public struct Slot: Sendable, Hashable {
        /// The type of device that fits, such as `qemu64-x86_64-cpu`.
        public let type: String

        /// The number of vCPUs of such a device.
        public let vcpusCount: Int

        /// `socket-id`, `core-id`, `thread-id` and so on, as `device_add` takes them.
        public let properties: [String: Int]

        /// The path of the device in the slot; nil if the slot is free.
        public let qomPath: String?
    }

    /// The command's name in QMP.
    public static let name = "query-hotpluggable-cpus"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The slots.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
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
