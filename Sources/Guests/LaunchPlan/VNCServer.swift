internal import JSON
package import QMP

/// A VNC display of the old QEMU and where it listens now (QMP `query-vnc-servers`).
package struct VNCServer: Sendable, Hashable {
    /// A listening socket of a display.
    package struct Listener: Sendable, Hashable {
        /// The address, or the path of a unix socket.
        package var host: String
        /// The TCP port as text; empty for a unix socket.
        package var service: String
        /// Whether it is a unix socket.
        package var isUnix: Bool
        /// Whether it uses the websocket protocol.
        package var isWebSocket: Bool

        /// Creates a listener; `service` must be empty for a unix socket.
        package init(host: String, service: String, isUnix: Bool = false, isWebSocket: Bool = false) {
            self.host = host
            self.service = service
            self.isUnix = isUnix
            self.isWebSocket = isWebSocket
        }
    }

    /// The display's id; `default` if the command line gives none.
    package var id: String
    /// Its listening sockets.
    package var listeners: [Listener]

    /// Creates a display; `id` must be the one that QEMU uses.
    package init(id: String, listeners: [Listener]) {
        self.id = id
        self.listeners = listeners
    }
}

// MARK: - Query

extension VNCServer {
    /// Queries a QEMU for its VNC displays (`query-vnc-servers`).
    ///
    /// - Parameter client: the QEMU's monitor.
    /// - Returns: the displays; empty if this QEMU was built without VNC.
    /// - Throws: `QMPError` as any command does.
    package static func query(_ client: QMPClient) async throws(QMPError) -> [VNCServer] {
        do {
            return servers(try await client.executeRaw("query-vnc-servers"))
        } catch  where error.refusal?.isCommandNotFound == true {
            return []
        }
    }

    /// Parses the reply of `query-vnc-servers`.
    static func servers(_ reply: JSONValue) -> [VNCServer] {
        (reply.array ?? []).compactMap { server in
            guard let id = server["id"]?.string else { return nil }
            return VNCServer(id: id, listeners: (server["server"]?.array ?? []).map(listener))
        }
    }

    private static func listener(_ socket: JSONValue) -> Listener {
        let isUnix = socket["family"]?.string == "unix"
        return Listener(
            host: socket["host"]?.string ?? "",
            service: isUnix ? "" : socket["service"]?.string ?? "",
            isUnix: isUnix,
            isWebSocket: socket["websocket"]?.bool ?? false
        )
    }
}
