/// A property of an object in QEMU's object tree, or of a device type.
public struct ObjectProperty: Sendable, Hashable {
    /// Its name.
    public let name: String

    /// Its type: `bool`, `uint32`, `string`, `child<virtio-blk-pci>`, `link<bus>` and so on.
    public let type: String

    init(from reply: QMPReply) throws(QMPError) {
        name = try reply.string("name")
        type = try reply.string("type")
    }

    /// The type of the child object with this name; nil if the property is not a child.
    public var childType: String? {
        guard type.hasPrefix("child<"), type.hasSuffix(">") else { return nil }
        return String(type.dropFirst(6).dropLast())
    }
}
