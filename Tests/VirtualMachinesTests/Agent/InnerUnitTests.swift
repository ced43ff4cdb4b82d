import Glibc
import Linux
@testable import StackFile
import Testing
@testable import VirtualMachines

extension VirtualMachinesTests {
    /// Verbs of guest.sh, run by a shell of this host with scripted programs and a folder for the control groups.
    @Suite struct InnerUnitTests {
        /// Runs a verb in a new folder.
        ///
        /// - Parameters:
        ///   - words: The verb and its arguments.
        ///   - before: A shell line that creates files first; `events UNIT 1` gives a unit a control group with processes.
        ///   - programs: Shell lines that replace programs.
        /// - Returns: The verb's output, its exit status, and then the lines that the programs wrote to `programs.log`.
        /// - Throws: An error if the shell does not start or end.
        private func run(
            _ words: String, before: String = ":", programs: [String: String] = [:]
        ) async throws -> String {
            let folder = "/tmp/hyperfresh-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
            try Files.createDirectory(folder)
            defer { _ = try? spawn(SpawnRequest(executable: "/bin/rm", arguments: ["rm", "-rf", folder])) }
            let functions = """
                events() {
                    mkdir -p \(folder)/cgroup/system.slice/$1
                    echo populated $2 >\(folder)/cgroup/system.slice/$1/cgroup.events
                }
                """
            for (name, line) in ["systemctl": ":"].merging(programs, uniquingKeysWith: { $1 }) {
                let text = "#!/bin/sh\n\(functions)\n\(line)\n"
                try Files.replaceAtomically("\(folder)/\(name)", bytes: Array(text.utf8), mode: 0o755)
            }
            let script = HypervisorAgent.guestScript
                .replacing("/sys/fs/cgroup", with: "\(folder)/cgroup")
                .replacing("/run/systemd/transient", with: "\(folder)/transient")
            try Files.replaceAtomically("\(folder)/guest.sh", bytes: Array(script.utf8))
            let line = """
                \(functions)
                cd \(folder); mkdir -p cgroup/system.slice transient; \(before)
                PATH=$PWD:$PATH sh -eu guest.sh \(words) >out 2>&1; echo $? >>out
                cat programs.log >>out 2>/dev/null
                """
            let shell = try ProcessHandle(
                try spawn(
                    SpawnRequest(
                        executable: "/bin/sh", arguments: ["sh", "-c", line],
                        environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])))
            try #require(await shell.waitForExit(within: .seconds(60)))
            return String(decoding: try Files.readAll("\(folder)/out"), as: UTF8.self)
        }

        private func start(before: String = ":", qemu: String = ":", sleep: String = "exec /bin/sleep \"$@\"")
            async throws -> String
        {
            try await run(
                "start u late log relay 0 qemu", before: before,
                programs: ["systemd-run": "events u 1; (\(qemu)) >/dev/null 2>&1 &", "sleep": sleep])
        }

        @Test func startWaitsForALateMonitor() async throws {
            #expect(try await start(qemu: "/bin/sleep 0.3; : >late") == "0\n")
        }

        @Test func startFailsWhenTheQEMUExits() async throws {
            #expect(try await start(qemu: "echo no such disk >log; events u 0") == "no such disk\n1\n")
        }

        @Test func startWaitsForALimitedTime() async throws {
            #expect(try await start(sleep: ":") == "late did not appear\n1\n")
        }

        @Test func startLeavesARunningQEMUAlone() async throws {
            let line = "events u 1; : >transient/u; echo old >late; ln late programs.log"
            #expect(try await start(before: line) == "u runs already\n1\nold\n")
        }

        private static let recording = ["systemctl": "echo \"$@\" >>programs.log"]

        @Test func theEndOfWhatIsGoneStartsNoProgram() async throws {
            #expect(try await run("end hyperfresh-relay@g.service u", programs: Self.recording) == "0\n")
        }

        @Test func endKillsAndWaitsForSystemd() async throws {
            let stop = "echo \"$@\" >>programs.log; grep -q 1 cgroup/system.slice/u/cgroup.kill && events u 0"
            let said = try await run(
                "end hyperfresh-relay@g.service u", before: "events u 1; : >transient/u", programs: ["systemctl": stop])
            #expect(said == "0\nstop u\nreset-failed u\n")
        }

        @Test func endFailsIfProcessesRemain() async throws {
            #expect(try await run("end u", before: "events u 1") == "u has processes after SIGKILL\n1\n")
        }

        @Test(arguments: ["tenants", "is-running hyperfresh-guest-g.service", "end hyperfresh-guest-g.service"])
        func anUnreadableGroupIsAnError(verb: String) async throws {
            let said = try await run(
                verb, before: "mkdir -p cgroup/system.slice/hyperfresh-guest-g.service/cgroup.events",
                programs: Self.recording)
            #expect(said.contains("cannot read ") && said.hasSuffix("\n1\n"), "\(said)")
        }

        @Test func withoutControlGroupsNothingIsAnswered() async throws {
            let said = try await run("tenants", before: "rmdir cgroup/system.slice")
            #expect(said.contains("does not use cgroup v2") && said.hasSuffix("\n1\n"), "\(said)")
        }

        @Test func tenantsAreThoseWithProcesses() async throws {
            let said = try await run(
                "tenants",
                before: """
                    events hyperfresh-guest-a.service 1; events hyperfresh-guest-b-c.service 1
                    events hyperfresh-guest-gone.service 0; events other.service 1
                    mkdir -p cgroup/hyperfresh/redis; : >cgroup/hyperfresh/cgroup.controllers; echo populated 1 >cgroup/hyperfresh/redis/cgroup.events
                    """, programs: ["ls": ":"])
            #expect(said == "guest a\nguest b-c\ncontainer redis\nend\n0\n")
        }

        @Test func versionsAreTheNumbers() async throws {
            let said = try await run(
                "versions",
                programs: ["qemu-system-x86_64": "printf 'QEMU emulator version 7.2.22 (Debian 1:7)\\nCopyright\\n'"])
            #expect(said.split(separator: "\n").suffix(2) == ["7.2.22", "0"])
        }
    }
}
