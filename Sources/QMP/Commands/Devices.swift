public import JSON

/// `query-pci`: the PCI buses with their devices.
///
/// Since 0.14.
public struct QueryPCI: QMPCommand {
    /// The command's name in QMP.
    public static let name = "query-pci"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The devices of all root buses.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [PCIDevice] {
        try reply.map { bus throws(QMPError) in
            try bus.member("devices").map { device throws(QMPError) in try PCIDevice(from: device) }
        }.flatMap(\.self)
    }
}

/// `device_add`: hot-plugs a device.
///
/// Since 0.13.
public struct DeviceAdd: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "device_add"

    /// The device: `driver`, `id`, `bus` and the driver's properties, which the schema does not list.
    public let device: [String: JSONValue]

    /// Creates the command for one device.
    ///
    /// - Parameter device: The device.
    public init(_ device: [String: JSONValue]) {
        self.device = device
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { device }

    /// Thirty seconds.
    public var deadline: Duration { .seconds(30) }
}

/// `device_del`: requests the guest to release a device; `DEVICE_DELETED` reports its removal.
///
/// Since 0.14.
public struct DeviceDel: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "device_del"

    /// Its id, or its path in QEMU's object tree.
    public let id: String

    /// Creates the command for one device.
    ///
    /// - Parameter id: Its id, or its path in QEMU's object tree.
    public init(id: String) {
        self.id = id
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["id": .string(id)] }
}

/// `device-list-properties`: the properties that can be set for a device type.
///
/// Since 1.2.
public struct DeviceListProperties: QMPCommand {
    /// The command's name in QMP.
    public static let name = "device-list-properties"

    /// The device's type, such as `virtio-blk-pci`.
    public let typeName: String

    /// Creates the command for one device type.
    ///
    /// - Parameter typeName: The device's type.
    public init(typeName: String) {
        self.typeName = typeName
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["typename": .string(typeName)] }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The properties.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [ObjectProperty] {
        try reply.map { property throws(QMPError) in try ObjectProperty(from: property) }
    }
}

/// A PCI function as `query-pci` lists it.
public struct PCIDevice: Sendable, Hashable {
    /// The bus, as the guest numbers it; 0 for all functions before the guest's firmware has run.
    public let bus: Int

    /// The device's slot on the bus, 0 to 31.
    public let slot: Int

    /// The function, 0 to 7.
    public let function: Int

    /// The device's id; empty if it was created without one.
    public let qdevID: String

    /// The vendor, such as 0x1af4.
    public let vendorID: Int

    /// The vendor's number of the device.
    public let deviceID: Int

    /// The class, such as 0x0200 for Ethernet.
    public let classCode: Int

    /// The name of the class.
    public let classDescription: String?

    /// The functions behind a bridge; nil for anything else.
    ///
    /// QEMU also omits them while the bridge has no bus number, which the guest's firmware assigns: a QEMU that has not
    /// run yet lists nothing behind bridges.
    public let behindBridge: [PCIDevice]?

    init(from reply: QMPReply) throws(QMPError) {
        let id = try reply.member("id")
        let classInfo = try reply.member("class_info")
        bus = try reply.int("bus")
        slot = try reply.int("slot")
        function = try reply.int("function")
        qdevID = try reply.string("qdev_id")
        vendorID = try id.int("vendor")
        deviceID = try id.int("device")
        classCode = try classInfo.int("class")
        classDescription = try classInfo.optional("desc")?.string()
        behindBridge = try reply.optional("pci_bridge")?.optional("devices")?.map { device throws(QMPError) in
            try PCIDevice(from: device)
        }
    }

    /// This function and all functions behind it.
    public var flattened: [PCIDevice] {
        [self] + (behindBridge ?? []).flatMap(\.flattened)
    }
}
