/// The first thing that a monitor says.
public struct QMPGreeting: Sendable, Hashable {
    /// The QEMU that speaks.
    public let version: QEMUVersion

    /// What the monitor can do on demand; `oob` is out-of-band execution.
    public let capabilities: Set<String>

    /// Makes a greeting.
    ///
    /// - Parameters:
    ///   - version: The QEMU that speaks.
    ///   - capabilities: What the monitor can do on demand.
    public init(version: QEMUVersion, capabilities: Set<String> = []) {
        self.version = version
        self.capabilities = capabilities
    }

    init(from reply: QMPReply) throws(QMPError) {
        version = try QEMUVersion(from: reply.member("version"))
        capabilities = Set(try reply.optional("capabilities")?.strings() ?? [])
    }
}
