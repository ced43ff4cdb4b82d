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
