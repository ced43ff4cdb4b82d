public import JSON

/// `query-vnc`: the VNC server.
///
/// Since 0.14.
public struct QueryVNC: QMPCommand {
    /// The reply of `query-vnc`.
    public struct Reply: Sendable, Hashable {
        /// Whether the server is enabled.
        public let isEnabled: Bool

        /// The address on which it listens, or the path of its socket.
        public let host: String?

        /// The port on which it listens.
        public let service: String?

        /// `ipv4`, `ipv6`, `unix`, `vsock` or `unknown`.
        public let family: String?

        /// The number of connected clients.
        public let clientCount: Int
    }

    /// The command's name in QMP.
    public static let name = "query-vnc"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The server.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
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
/// Since 0.14, if QEMU was built with SPICE.
public struct QuerySpice: QMPCommand {
    /// The reply of `query-spice`.
    public struct Reply: Sendable, Hashable {
        /// Whether the server is enabled.
        public let isEnabled: Bool

        /// The address on which it listens.
        public let host: String?

        /// The port on which it listens.
        public let port: Int?

        /// The port for TLS.
        public let tlsPort: Int?

        /// The number of connected channels of clients.
        public let channelCount: Int
    }

    /// The command's name in QMP.
    public static let name = "query-spice"

    /// Creates the command, which takes no parameters.
    public init() {}

    /// Decodes the reply.
    ///
    /// - Parameter reply: The value of `return`.
    /// - Returns: The server.
    /// - Throws: `unusableReply` if a member is missing or has the wrong type.
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

/// `display-update`: changes the addresses on which the VNC server listens.
///
/// Since 7.1.
public struct DisplayUpdate: QMPCommand {
    /// The reply is empty.
    public typealias Reply = Void

    /// The command's name in QMP.
    public static let name = "display-update"

    /// QEMU's `SocketAddress` values, such as `{"type": "unix", "path": "/run/vnc"}`; empty for no address.
    public let addresses: [JSONValue]

    /// Creates the command, which replaces all addresses of the VNC server.
    ///
    /// - Parameter vncAddresses: The addresses on which the VNC server is to listen.
    public init(vncAddresses: [JSONValue]) {
        addresses = vncAddresses
    }

    /// The arguments in their QMP form.
    public var arguments: [String: JSONValue] { ["type": "vnc", "addresses": .array(addresses)] }
}
