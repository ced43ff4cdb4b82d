internal import JSON
public import QMP

extension VNCServer {
    /// Queries a QEMU for its VNC displays (`query-vnc-servers`).
    ///
    /// - Parameter client: the QEMU's monitor.
    /// - Returns: the displays; empty if this QEMU was built without VNC.
    /// - Throws: `QMPError` as any command does.
    public static func query(_ client: QMPClient) async throws(QMPError) -> [VNCServer] {
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
