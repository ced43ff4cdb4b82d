public import JSON

/// `query-pci`: the PCI buses with their devices.
///
/// Since 0.14.
public struct QueryPCI: QMPCommand {
    /// QEMU's name of the command.
    public static let name = "query-pci"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The devices of all root buses.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [PCIDevice] {
        try reply.map { bus throws(QMPError) in
            try bus.member("devices").map { device throws(QMPError) in try PCIDevice(from: device) }
        }.flatMap(\.self)
    }
}

/// `device_add`: plugs a device.
///
/// Since 0.13.
public struct DeviceAdd: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "device_add"

    /// The device: `driver`, `id`, `bus` and the driver's properties, which the schema does not list.
    public let device: [String: JSONValue]

    /// Makes the command.
    ///
    /// - Parameter device: The device.
    public init(_ device: [String: JSONValue]) {
        self.device = device
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { device }

    /// Thirty seconds.
    public var deadline: Duration { .seconds(30) }
}

/// `device_del`: asks the guest to give a device up; `DEVICE_DELETED` tells when it has.
///
/// Since 0.14.
public struct DeviceDel: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "device_del"

    /// Its id, or its path in QEMU's object tree.
    public let id: String

    /// Makes the command.
    ///
    /// - Parameter id: Its id, or its path in QEMU's object tree.
    public init(id: String) {
        self.id = id
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["id": .string(id)] }
}

/// `device-list-properties`: what may be set for a kind of device.
///
/// Since 1.2.
public struct DeviceListProperties: QMPCommand {
    /// QEMU's name of the command.
    public static let name = "device-list-properties"

    /// The device's type, such as `virtio-blk-pci`.
    public let typeName: String

    /// Makes the command.
    ///
    /// - Parameter typeName: The device's type.
    public init(typeName: String) {
        self.typeName = typeName
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["typename": .string(typeName)] }

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The properties.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> [ObjectProperty] {
        try reply.map { property throws(QMPError) in try ObjectProperty(from: property) }
    }
}
