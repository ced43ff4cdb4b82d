/// `query-memdev`: the memory backends.
///
/// Since 2.1.
public struct QueryMemdev: QMPCommand {
    /// One backend.
    public struct Backend: Sendable, Hashable {
        /// Its id; nil where it was made without one.
        public let id: String?

        /// Its size in bytes.
        public let size: UInt64

        /// Whether all of it was allocated at the start.
        public let isPreallocated: Bool

        /// Whether it is mapped shared.
        ///
        /// Since 6.1.
        public let isShared: Bool
    }

    /// QEMU's name of the command.
    public static let name = "query-memdev"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The backends.
    /// - Throws: `unusableReply`.
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

/// `query-memory-devices`: the memory that is plugged like a device (DIMM, NVDIMM, virtio-mem, ...).
///
/// Since 2.1.
public struct QueryMemoryDevices: QMPCommand {
    /// One device.
    public struct Device: Sendable, Hashable {
        /// `dimm`, `nvdimm`, `virtio-pmem`, `virtio-mem`, `sgx-epc`, `hv-balloon`.
        public let type: String

        /// Its id; nil where it was made without one.
        public let id: String?

        /// Its address in the guest's physical memory; nil where it has none of its own.
        public let address: UInt64?

        /// Its size in bytes.
        public let size: UInt64

        /// The path of its backend in QEMU's object tree, such as `/objects/ram1`; nil where it has none.
        public let memdev: String?

        /// Whether it was added while the guest ran; nil where QEMU does not say.
        public let isHotplugged: Bool?
    }

    /// QEMU's name of the command.
    public static let name = "query-memory-devices"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The devices.
    /// - Throws: `unusableReply`.
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
    /// What `query-memory-size-summary` says.
    public struct Reply: Sendable, Hashable {
        /// The memory of `-m`, in bytes.
        public let baseMemory: UInt64

        /// The memory plugged like a device, in bytes; nil where the machine cannot have any.
        public let pluggedMemory: UInt64?
    }

    /// QEMU's name of the command.
    public static let name = "query-memory-size-summary"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The sizes.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(
            baseMemory: try reply.unsigned("base-memory"),
            pluggedMemory: try reply.optional("plugged-memory")?.unsigned()
        )
    }
}
