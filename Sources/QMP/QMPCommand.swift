public import JSON

/// A command with its arguments, and the decoder of its reply.
///
/// ```swift
/// let status = try await client.execute(QueryStatus())
/// ```
public protocol QMPCommand: Sendable {
    /// The decoded form of a successful reply.
    associatedtype Reply: Sendable

    /// The command's name in QMP.
    static var name: String { get }

    /// The arguments; QEMU uses its default for a missing key.
    var arguments: [String: JSONValue] { get }

    /// The maximum wait for the reply.
    var deadline: Duration { get }

    /// Open descriptors to send with the command; the caller remains their owner.
    var descriptors: [Int32] { get }

    /// Whether the command overtakes those that QEMU is still executing; only few commands may.
    var isOutOfBand: Bool { get }

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The decoded reply.
    /// - Throws: `unusableReply` if a member that the schema promises is missing.
    static func reply(from reply: QMPReply) throws(QMPError) -> Reply
}

extension QMPCommand {
    /// No arguments.
    public var arguments: [String: JSONValue] { [:] }

    /// Five seconds: QEMU's main loop answers in milliseconds unless it is blocked by a disk or a device.
    public var deadline: Duration { .seconds(5) }

    /// No descriptors.
    public var descriptors: [Int32] { [] }

    /// In-band execution.
    public var isOutOfBand: Bool { false }
}

extension QMPCommand where Reply == Void {
    /// Ignores the reply, which is empty.
    ///
    /// - Parameter reply: The value of `return`, an empty object.
    /// - Throws: Nothing.
    public static func reply(from reply: QMPReply) throws(QMPError) {}
}

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
