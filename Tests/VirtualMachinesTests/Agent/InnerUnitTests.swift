import Glibc
import Linux
@testable import StackFile
import Testing
@testable import VirtualMachines

extension VirtualMachinesTests {
    /// The waits of `guest.sh start`, run in a shell of this host with a scripted systemd.
    @Suite struct InnerUnitTests {
        /// Runs `guest.sh start` for a guest with the monitor `late`; `qemu` is a shell line that the QEMU runs, `sleep` one
        /// that replaces `sleep`.
        private func start(isActive: Bool = true, qemu: String = ":", sleep: String = "exec /bin/sleep") async throws
            -> String
        {
            let folder = "/tmp/hyperfresh-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            try Files.createDirectory(folder)
            defer { _ = try? spawn(SpawnRequest(executable: "/bin/rm", arguments: ["rm", "-rf", folder])) }
            for (name, line) in [
                ("systemctl", "case $1 in is-active) exit \(isActive ? 0 : 1) ;; esac"),
                ("systemd-run", "(\(qemu)) >/dev/null 2>&1 &"), ("sleep", "\(sleep) \"$@\""),
            ] {
                try Files.replaceAtomically("\(folder)/\(name)", bytes: Array("#!/bin/sh\n\(line)\n".utf8), mode: 0o755)
            }
            try Files.replaceAtomically("\(folder)/guest.sh", bytes: Array(HypervisorAgent.guestScript.utf8))
            let line = """
                cd \(folder); PATH=$PWD:$PATH
                sh -eu guest.sh start u late log relay 0 qemu >out 2>&1; echo $? >>out
                """
            let shell = try ProcessHandle(
                try spawn(
                    SpawnRequest(
                        executable: "/bin/sh", arguments: ["sh", "-c", line],
                        environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])))
            try #require(await shell.waitForExit(within: .seconds(60)))
            return String(decoding: try Files.readAll("\(folder)/out"), as: UTF8.self)
        }

        @Test func whatComesLateIsWaitedFor() async throws {
            #expect(try await start(qemu: "/bin/sleep 0.3; : >late") == "0\n")
        }

        @Test func nobodyWaitsForAQEMUThatHasEnded() async throws {
            #expect(try await start(isActive: false).hasSuffix("1\n"))
        }

        @Test func waitingHasAnEnd() async throws {
            #expect(try await start(sleep: ":") == "late did not appear\n1\n")
        }
    }
}
