/// A VNC display of the old QEMU and where it listens now (QMP `query-vnc-servers`).
public struct VNCServer: Sendable, Hashable {
    /// A listening socket of a display.
    public struct Listener: Sendable, Hashable {
        /// The address, or the path of a unix socket.
        public var host: String
        /// The TCP port as text; empty for a unix socket.
        public var service: String
        /// Whether it is a unix socket.
        public var isUnix: Bool
        /// Whether it uses the websocket protocol.
        public var isWebSocket: Bool

        /// Creates a listener; `service` must be empty for a unix socket.
        public init(host: String, service: String, isUnix: Bool = false, isWebSocket: Bool = false) {
            self.host = host
            self.service = service
            self.isUnix = isUnix
            self.isWebSocket = isWebSocket
        }
    }

    /// The display's id; `default` if the command line gives none.
    public var id: String
    /// Its listening sockets.
    public var listeners: [Listener]

    /// Creates a display; `id` must be the one that QEMU uses.
    public init(id: String, listeners: [Listener]) {
        self.id = id
        self.listeners = listeners
    }
}
