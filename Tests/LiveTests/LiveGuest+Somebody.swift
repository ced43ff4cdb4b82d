import CanaryTesting
import Glibc
import JSON
import Linux
import QMP
import Testing

/// A second monitor, at which somebody else gives commands.
extension LiveGuest {
    /// Arguments for it.
    static func secondMonitor(in files: CanaryFiles) -> [String] {
        [
            "-chardev", "socket,id=side,path=\(files.directory)/side.sock,server=on,wait=off",
            "-mon", "chardev=side,mode=control",
        ]
    }

    /// The second monitor of the QEMU that has the guest, or of the one that is to get it.
    ///
    /// - Parameter pid: Whose it has to be.
    /// - Returns: A client that is the caller's to close.
    /// - Throws: `CanaryError` when there is none, `QMPError`.
    func secondMonitor(of pid: Int32) async throws -> QMPClient {
        let names = try ProcFS.names(inFolder: canary.files.directory).filter { $0.hasPrefix("side.sock") }
        for name in names {
            // One that died has left its socket.
            guard let client = try? await QMPClient.connect(path: "\(canary.files.directory)/\(name)") else { continue }
            if client.peer?.pid == pid { return client }
            client.close()
        }
        throw CanaryError.silent(words: "none of \(names) is pid \(pid)'s")
    }

    /// Ends a process, and sees it gone: what is about to die is not dead yet.
    static func kill(_ pid: Int32) async throws {
        // By its pidfd: the first thread of a process that is killed may be a zombie while others still end.
        guard let process = ProcessIdentity.current(of: pid), let handle = try? ProcessHandle(process) else { return }
        try handle.signal(SIGKILL)
        let isGone = await handle.waitForExit(within: .seconds(10))
        try #require(isGone, "pid \(pid) does not end")
    }
}
