import JSON
import Linux
import QMP
import Synchronization

/// Brings the disks of a guest that was handed over while it was paused back into use.
///
/// QEMU leaves the images of such a guest inactive until `cont`: it holds no lock on them, snapshots and jobs fail, and
/// older QEMUs abort when the guest is resized, saved or handed over again. They are activated here after commit, when the
/// other side is gone, and not by leaving `late-block-activate` off, which does it before the commit
/// (docs/decisions/0014-activate-after-commit.md).
enum BlockActivation {
    private static let socketName = "hyperfresh-nbd"

    /// Activates the images of a QEMU whose guest stands still after a handoff; does nothing to others.
    ///
    /// - Returns: Why it could not, for a person; the guest's next `cont` activates them all the same.
    static func finish(_ client: QMPClient) async -> String? {
        do throws(QMPError) {
            try await activate(client)
            return nil
        } catch {
            return
                "the paused guest's disks are not in use until its next `cont`: no snapshots, no block jobs: \(error)"
        }
    }

    private static func activate(_ client: QMPClient) async throws(QMPError) {
        let status = try await client.execute(QueryStatus())
        guard !status.isRunning, try await client.execute(QueryMigrate()).status == .completed else { return }
        do throws(QMPError) {
            // Since QEMU 10.0.
            _ = try await client.executeRaw("blockdev-set-active", arguments: ["active": true], deadline: .seconds(10))
        } catch  where error.refusal?.isCommandNotFound == true {
            try await activateByExports(client)
        }
    }

    /// QEMU activates what it exports, and leaves it active; so every node is exported for a moment, to nobody.
    private static func activateByExports(_ client: QMPClient) async throws(QMPError) {
        let drives = Set(try await client.execute(QueryBlock()).compactMap { $0.inserted?.nodeName })
        let others = Set(try await client.execute(QueryNamedBlockNodes()).compactMap(\.nodeName)).subtracting(drives)
        guard !drives.isEmpty || !others.isEmpty else { return }
        let isOurs = try await startServer(client)
        do throws(QMPError) {
            for node in drives.sorted() { try await exportOnce(node, client) }
            for node in others.sorted() {
                // What is part of an image that is in use may not be exported by itself, and is active with that.
                do throws(QMPError) { try await exportOnce(node, client) } catch  where error.code == .refused {}
            }
        } catch {
            if isOurs { try await stopServer(client) }
            throw error
        }
        if isOurs { try await stopServer(client) }
    }

    /// - Returns: Whether the server is ours; one that somebody else has started serves as well.
    private static func startServer(_ client: QMPClient) async throws(QMPError) -> Bool {
        let listener: UnixListener
        do throws(SystemError) { listener = try UnixListener.unreachable() } catch {
            throw QMPError(.system, "\(error)", endpoint: client.endpoint, systemError: error)
        }
        try await client.execute(GetFD(fdname: socketName, descriptor: listener.number))
        do throws(QMPError) {
            _ = try await client.executeRaw(
                "nbd-server-start", arguments: ["addr": ["type": "fd", "data": ["str": .string(socketName)]]])
            return true
        } catch  where error.code == .refused {
            // One runs already. The descriptor may have been used up: then there is none to close.
            _ = try? await client.execute(CloseFD(fdname: socketName))
            return false
        }
    }

    private static func stopServer(_ client: QMPClient) async throws(QMPError) {
        _ = try await client.executeRaw("nbd-server-stop")
    }

    private static func exportOnce(_ node: String, _ client: QMPClient) async throws(QMPError) {
        let id = "hyperfresh-\(exports.wrappingAdd(1, ordering: .relaxed).newValue)"
        _ = try await client.executeRaw(
            "block-export-add",
            arguments: ["type": "nbd", "id": .string(id), "node-name": .string(node), "name": .string(id)],
            deadline: .seconds(10))
        _ = try await client.executeRaw("block-export-del", arguments: ["id": .string(id), "mode": "hard"])
    }

    /// An export that is being removed still has its name.
    private static let exports = Atomic(0)
}
