/// The first message of a monitor.
public struct QMPGreeting: Sendable, Hashable {
    /// The version of the monitor's QEMU.
    public let version: QEMUVersion

    /// The capabilities that the monitor offers; `oob` is out-of-band execution.
    public let capabilities: Set<String>

    /// Creates a greeting, as if a monitor had sent it.
    ///
    /// - Parameters:
    ///   - version: The version of the monitor's QEMU.
    ///   - capabilities: The capabilities that the monitor offers.
    public init(version: QEMUVersion, capabilities: Set<String> = []) {
        self.version = version
        self.capabilities = capabilities
    }

    init(from reply: QMPReply) throws(QMPError) {
        version = try QEMUVersion(from: reply.member("version"))
        capabilities = Set(try reply.optional("capabilities")?.strings() ?? [])
    }
}
