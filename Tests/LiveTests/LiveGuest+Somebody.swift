import CanaryTesting
import Glibc
import JSON
import Linux
import QMP
import Testing

/// A second monitor, for commands of another client.
extension LiveGuest {
    /// Returns QEMU's arguments for it.
    static func secondMonitor(in files: CanaryFiles) -> [String] {
        [
            "-chardev", "socket,id=side,path=\(files.directory)/side.sock,server=on,wait=off",
            "-mon", "chardev=side,mode=control",
        ]
    }

    /// Connects to the second monitor of the QEMU that runs the guest, or of the one that will get it.
    ///
    /// - Parameter pid: The pid of that QEMU.
    /// - Returns: A client, which the caller must close.
    /// - Throws: `CanaryError` if there is none, `QMPError`.
    func secondMonitor(of pid: Int32) async throws -> QMPClient {
        let names = try ProcFS.names(inFolder: canary.files.directory).filter { $0.hasPrefix("side.sock") }
        for name in names {
            // A QEMU that died has left its socket behind.
            guard let client = try? await QMPClient.connect(path: "\(canary.files.directory)/\(name)") else { continue }
            if client.peer?.pid == pid { return client }
            client.close()
        }
        throw CanaryError.silent(words: "none of \(names) is pid \(pid)'s")
    }

    /// Kills a process and waits until it is gone: after SIGKILL it may live for a moment.
    static func kill(_ pid: Int32) async throws {
        // Waits on a pidfd: the main thread of a killed process may be a zombie while others still exit.
        guard let process = ProcessIdentity.current(of: pid), let handle = try? ProcessHandle(process) else { return }
        try handle.signal(SIGKILL)
        let isGone = await handle.waitForExit(within: .seconds(10))
        try #require(isGone, "pid \(pid) does not end")
    }
}
