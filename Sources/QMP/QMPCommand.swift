public import JSON

/// A command with its arguments, and how to read its reply.
///
/// ```swift
/// let status = try await client.execute(QueryStatus())
/// ```
public protocol QMPCommand: Sendable {
    /// What a successful reply says.
    associatedtype Reply: Sendable

    /// QEMU's name of the command.
    static var name: String { get }

    /// What is sent along; a key that is not set takes QEMU's default.
    var arguments: [String: JSONValue] { get }

    /// How long to wait for the reply.
    var deadline: Duration { get }

    /// Open descriptors that travel with the command; they stay the caller's.
    var descriptors: [Int32] { get }

    /// Whether the command overtakes those that QEMU is still busy with; few commands may.
    var isOutOfBand: Bool { get }

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: What it says.
    /// - Throws: `unusableReply` when something that the schema promises is missing.
    static func reply(from reply: QMPReply) throws(QMPError) -> Reply
}

extension QMPCommand {
    /// Nothing.
    public var arguments: [String: JSONValue] { [:] }

    /// Five seconds: QEMU's main loop answers in milliseconds unless it is stuck in a disk or a device.
    public var deadline: Duration { .seconds(5) }

    /// None.
    public var descriptors: [Int32] { [] }

    /// In band.
    public var isOutOfBand: Bool { false }
}

extension QMPCommand where Reply == Void {
    /// Nothing to read.
    ///
    /// - Parameter reply: What QEMU sent as `return`, an empty object.
    /// - Throws: Nothing.
    public static func reply(from reply: QMPReply) throws(QMPError) {}
}
