/// `query-memdev`: the memory backends.
///
/// Since 2.1.
public struct QueryMemdev: QMPCommand {
    /// One backend.
    public struct Backend: Sendable, Hashable {
        /// Its id; nil if it was created without one.
        public let id: String?

        /// Its size in bytes.
        public let size: UInt64

        /// Whether all of it was allocated when it was created.
        public let isPreallocated: Bool

        /// Whether it is mapped shared.
        ///
        /// Since 6.1.
        public let isShared: Bool
    }

    /// The command's name in QMP.
    public static let name = "query-memdev"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The backends.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [Backend] {
        try reply.map { backend throws(QMPError) in
            Backend(
                id: try backend.optional("id")?.string(),
                size: try backend.unsigned("size"),
                isPreallocated: try backend.bool("prealloc"),
                isShared: try backend.bool("share")
            )
        }
    }
}

/// `query-memory-devices`: the plugged memory devices (DIMM, NVDIMM, virtio-mem, ...).
///
/// Since 2.1.
public struct QueryMemoryDevices: QMPCommand {
    /// One device.
    public struct Device: Sendable, Hashable {
        /// `dimm`, `nvdimm`, `virtio-pmem`, `virtio-mem`, `sgx-epc`, `hv-balloon`.
        public let type: String

        /// Its id; nil if it was created without one.
        public let id: String?

        /// Its guest-physical address; nil if it has no address of its own.
        public let address: UInt64?

        /// Its size in bytes.
        public let size: UInt64

        /// The path of its backend in QEMU's object tree, such as `/objects/ram1`; nil if it has none.
        public let memdev: String?

        /// Whether it was added while the guest ran; nil if QEMU does not report it.
        public let isHotplugged: Bool?
    }

    /// The command's name in QMP.
    public static let name = "query-memory-devices"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The devices.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [Device] {
        try reply.map { device throws(QMPError) in
            let data = try device.member("data")
            return Device(
                type: try device.string("type"),
                id: try data.optional("id")?.string(),
                address: try (data.optional("addr") ?? data.optional("memaddr"))?.unsigned(),
                size: try data.optional("size")?.unsigned() ?? 0,
                memdev: try data.optional("memdev")?.string(),
                isHotplugged: try data.optional("hotplugged")?.bool()
            )
        }
    }
}

/// `query-memory-size-summary`: how much memory the guest has.
///
/// Since 2.11.
public struct QueryMemorySizeSummary: QMPCommand {
    /// The reply of `query-memory-size-summary`.
    public struct Reply: Sendable, Hashable {
        /// The memory of `-m`, in bytes.
        public let baseMemory: UInt64

        /// The size of plugged memory, in bytes; nil if the machine does not support any.
        public let pluggedMemory: UInt64?
    }

    /// The command's name in QMP.
    public static let name = "query-memory-size-summary"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The sizes.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(
            baseMemory: try reply.unsigned("base-memory"),
            pluggedMemory: try reply.optional("plugged-memory")?.unsigned()
        )
    }
}
