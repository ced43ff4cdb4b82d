public import JSON

/// `query-vnc`: the VNC server.
///
/// Since 0.14.
public struct QueryVNC: QMPCommand {
    /// What `query-vnc` says.
    public struct Reply: Sendable, Hashable {
        /// Whether there is one.
        public let isEnabled: Bool

        /// The address that it listens at, or the path of its socket.
        public let host: String?

        /// The port that it listens at.
        public let service: String?

        /// `ipv4`, `ipv6`, `unix`, `vsock` or `unknown`.
        public let family: String?

        /// How many clients are connected.
        public let clientCount: Int
    }

    /// QEMU's name of the command.
    public static let name = "query-vnc"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The server.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(
            isEnabled: try reply.bool("enabled"),
            host: try reply.optional("host")?.string(),
            service: try reply.optional("service")?.string(),
            family: try reply.optional("family")?.string(),
            clientCount: try reply.optional("clients")?.elements().count ?? 0
        )
    }
}

/// `query-spice`: the SPICE server.
///
/// Since 0.14, where QEMU was built with SPICE.
public struct QuerySpice: QMPCommand {
    /// What `query-spice` says.
    public struct Reply: Sendable, Hashable {
        /// Whether there is one.
        public let isEnabled: Bool

        /// The address that it listens at.
        public let host: String?

        /// The port that it listens at.
        public let port: Int?

        /// The port for TLS.
        public let tlsPort: Int?

        /// How many channels of clients are connected.
        public let channelCount: Int
    }

    /// QEMU's name of the command.
    public static let name = "query-spice"

    /// Makes the command.
    public init() {}

    /// Reads the reply.
    ///
    /// - Parameter reply: What QEMU sent as `return`.
    /// - Returns: The server.
    /// - Throws: `unusableReply`.
    public static func reply(from reply: QMPReply) throws(QMPError) -> Reply {
        Reply(
            isEnabled: try reply.bool("enabled"),
            host: try reply.optional("host")?.string(),
            port: try reply.optional("port")?.int(),
            tlsPort: try reply.optional("tls-port")?.int(),
            channelCount: try reply.optional("channels")?.elements().count ?? 0
        )
    }
}

/// `display-update`: lets the VNC server listen at other addresses.
///
/// Since 7.1.
public struct DisplayUpdate: QMPCommand {
    /// Nothing.
    public typealias Reply = Void

    /// QEMU's name of the command.
    public static let name = "display-update"

    /// QEMU's `SocketAddress` values, such as `{"type": "unix", "path": "/run/vnc"}`; empty to listen nowhere.
    public let addresses: [JSONValue]

    /// Makes the command.
    ///
    /// - Parameter vncAddresses: Where the VNC server is to listen.
    public init(vncAddresses: [JSONValue]) {
        addresses = vncAddresses
    }

    /// What is sent along.
    public var arguments: [String: JSONValue] { ["type": "vnc", "addresses": .array(addresses)] }
}
