import Glibc
import Linux
import QMPTesting
import TestTools

/// A real guest agent on this host; stopped when this object is destroyed.
final class LiveAgent: Sendable {
    static let binary: String? = {
        let candidates = [LiveQEMU.variable("HYPERFRESH_QEMU_GA"), "/usr/sbin/qemu-ga", "/usr/bin/qemu-ga"]
        return candidates.compactMap(\.self).first { access($0, X_OK) == 0 }
    }()

    /// Its socket.
    let path: String
    private let identity: ProcessIdentity
    private let folder: ScratchFolder

    init() async throws {
        folder = ScratchFolder()
        path = "\(folder.path)/qga.sock"
        let binary = Self.binary ?? ""
        identity = try spawn(
            SpawnRequest(
                executable: binary,
                arguments: [
                    binary, "--method=unix-listen", "--path=\(path)", "--statedir=\(folder.path)",
                    "--pidfile=\(folder.path)/pid",
                ],
                environment: ["PATH=/usr/bin:/bin"]
            )
        )
        let end = ContinuousClock.now + .seconds(20)
        while access(path, F_OK) != 0, ContinuousClock.now < end { try await Task.sleep(for: .milliseconds(10)) }
    }

    deinit {
        try? signal(SIGKILL)
    }

    func signal(_ number: Int32) throws {
        try ProcessHandle(identity).signal(number)
    }
}
