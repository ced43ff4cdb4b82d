import JSON
import Linux
import QMP
import Synchronization

/// Activates the disks of a guest that was handed over while it was paused.
///
/// QEMU leaves the images of such a guest inactive until `cont`: it holds no lock on them, snapshots and jobs fail, and
/// older QEMUs abort when the guest is resized, saved or handed over again. This activates them after the commit, when
/// the other side is gone. Switching `late-block-activate` off would activate them before the commit
/// (docs/decisions/0014-activate-after-commit.md).
enum BlockActivation {
    private static let socketName = "hyperfresh-nbd"

    /// Activates the images of a QEMU whose guest is stopped after a handoff; does nothing to other QEMUs.
    ///
    /// - Returns: A warning with the reason of a failure; the guest's next `cont` activates the images nevertheless.
    static func finish(_ client: QMPClient) async -> String? {
        do throws(QMPError) {
            try await activate(client)
            return nil
        } catch {
            return
                "the paused guest's disks are inactive until its next `cont`: no snapshots, no block jobs: \(error)"
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

    /// Exports every node for a moment, without a client: QEMU activates a node that it exports, and leaves it active.
    private static func activateByExports(_ client: QMPClient) async throws(QMPError) {
        let drives = Set(try await client.execute(QueryBlock()).compactMap { $0.inserted?.nodeName })
        let others = Set(try await client.execute(QueryNamedBlockNodes()).compactMap(\.nodeName)).subtracting(drives)
        guard !drives.isEmpty || !others.isEmpty else { return }
        let isOurs = try await startServer(client)
        do throws(QMPError) {
            for node in drives.sorted() { try await exportOnce(node, client) }
            for node in others.sorted() {
                // A part of an image in use may not be exported on its own; it is active together with the image.
                do throws(QMPError) { try await exportOnce(node, client) } catch  where error.code == .refused {}
            }
        } catch {
            if isOurs { try await stopServer(client) }
            throw error
        }
        if isOurs { try await stopServer(client) }
    }

    /// Starts an NBD server; returns false if somebody else has started one, which serves as well.
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
            // One runs already. QEMU may have consumed the descriptor: then there is none to close.
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

    /// Makes the names of exports unique: an export that is being removed still has its name.
    private static let exports = Atomic(0)
}
