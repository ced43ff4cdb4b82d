import Glibc
import Linux
import Testing

@testable import Hypervisors

extension HypervisorsTests {
    /// What the start of a guest's QEMU waits for, in a shell of this host with a systemd that says what a test wants.
    @Suite struct InnerUnitTests {
        /// Runs the shell lines after those that define `await FILE`.
        ///
        /// - Returns: What they print, and the exit status.
        private func run(_ lines: String) async throws -> String {
            let folder = "/tmp/hyperfresh-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            try Files.createDirectory(folder)
            defer { for path in ["\(folder)/out", "\(folder)/late", folder] { remove(path) } }
            let script =
                "cd \(folder); ( set -eu; unit=u log=/dev/null; \(InnerUnit.awaiting)\n\(lines)\n) >out 2>&1; echo $? >>out"
            let shell = try ProcessHandle(
                try spawn(SpawnRequest(executable: "/bin/sh", arguments: ["sh", "-c", script])))
            try #require(await shell.waitForExit(within: .seconds(60)))
            return String(decoding: try Files.readAll("\(folder)/out"), as: UTF8.self)
        }

        /// A QEMU's monitor is there before its taps are.
        @Test func whatComesLateIsWaitedFor() async throws {
            let words = try await run("systemctl() { :; }; { sleep 0.3; : >late; } & await late; ls late; wait")
            #expect(words == "late\n0\n")
        }

        @Test func nobodyWaitsForAQEMUThatHasEnded() async throws {
            #expect(try await run("systemctl() { false; }; await late; echo never") == "1\n")
        }

        @Test func waitingHasAnEnd() async throws {
            #expect(
                try await run("systemctl() { :; }; sleep() { :; }; await late; echo never")
                    == "late did not appear\n1\n")
        }
    }
}
