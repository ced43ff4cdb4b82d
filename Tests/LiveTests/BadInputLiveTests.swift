import CanaryTesting
import Glibc
import HyperFresh
import JSON
import Linux
import QMP
import QMPTesting
import Testing

extension Live {
    /// Wrong arguments, programs other than QEMU, false monitors: each yields a clear error and the right exit status
    /// in time, leaves the guest untouched and nothing behind.
    @Suite(
        .enabled(if: Live.isReady, Live.howToGetReady),
        .sharedGuest("bad-input"))
    struct BadInputLiveTests {
        /// Longer than all deadlines of a refresh together on a busy machine, but finite.
        private static let patience = Duration.seconds(45)

        private let guest: LiveGuest

        init() throws { guest = try #require(SharedGuest.current) }

        // MARK: - The new QEMU

        @Test(arguments: BadTarget.refused)
        func whatIsNoQEMUForThisGuestIsRefusedBeforehand(target: BadTarget) async throws {
            let path = try await target.make(in: guest.tools)
            let report = try await refresh("--to", path)
            #expect(report["exit_code"] == 3, "\(report)")
            #expect(report["outcome"] == "blocked")
            let finding = report["findings"]?.array?.first { $0["severity"] == "fail" }
            #expect(finding?["id"]?.string == target.finding, "\(report)")
            #expect(finding?.encoded().contains(target.words) == true, "\(report)")
            #expect(finding?["remedy"]?.string?.isEmpty == false, "\(report)")
            try await expectUntouched(report, "Nothing was touched")
        }

        @Test(arguments: BadTarget.failing)
        func aNewQEMUThatFailsAtItsStartIsRolledBack(target: BadTarget) async throws {
            let path = try await target.make(in: guest.tools)
            let report = try await refresh(["--to", path] + (target.isRehearsed ? ["--dry-run"] : []))
            #expect(report["exit_code"] == 1, "\(report)")
            #expect(report["outcome"] == "rolled-back")
            let error = report["error"]?.encoded() ?? ""
            #expect(target.words.isEmpty || error.contains(target.words), "\(report)")
            try await expectUntouched(report, "as before")
            try await guest.expectRunsOnOneSide()
        }

        @Test(arguments: BadTarget.hanging)
        func aNewQEMUThatHangsAtItsStartIsGivenUp(target: BadTarget) async throws {
            let path = try await target.make(in: guest.tools)
            let report = try await refresh("--to", path, "--timeout", "1s")
            #expect(report["exit_code"] == 4, "\(report)")
            #expect(report["outcome"] == "timed-out")
            let error = report["error"]?.encoded() ?? ""
            #expect(error.contains("not committed within"), "\(report)")
            #expect(error.contains(target.words), "\(report)")
            try await expectUntouched(report, "as before")
            try await guest.expectRunsOnOneSide()
        }

        // MARK: - The guest

        @Test(arguments: BadSelector.all)
        func whoIsNoGuestIsSaidToBeNone(selector: BadSelector) async throws {
            let name = try await selector.make(guest)
            for verb in [["refresh", "guest"], ["refresh", "guest", "--qmp"], ["plan", "guest"], ["qmp"]] {
                let words = verb == ["qmp"] ? ["query-status"] : []
                let result = try await command(verb + [name] + words + ["--json"])
                #expect(result.ending == .exited(64), "\(verb): \(result)")
                let last = try #require(try result.lines.last, "\(verb): \(result)")
                let error = last["error"] ?? last
                #expect(error["message"]?.string?.contains(selector.words) == true, "\(verb): \(last)")
                #expect(error["remedy"]?.string?.contains("hyperfresh list") == true, "\(verb): \(last)")
                #expect(last["outcome"] == (verb[0] == "refresh" ? "no-guest" : nil), "\(verb): \(last)")
                #expect(result.errors.isEmpty, "\(verb): \(result)")
            }
            try guest.expectNothingLeft()
        }

        // MARK: - Its monitor

        @Test func aMonitorThatSomebodyHoldsIsBusy() async throws {
            let holder = try await QMPClient.connect(path: guest.canary.files.qmp)
            defer { holder.close() }
            let report = try await refresh()
            expectBlocked(report, by: "monitor-busy")
            let query = try await command(["qmp", guest.canary.files.qmp, "query-status", "--json"])
            #expect(query.ending == .exited(1), "\(query)")
            #expect(try query.document["message"]?.string?.contains("client") == true, "\(query)")
            holder.close()
            try await expectUntouched(report, "Nothing was touched")
        }

        @Test func aQEMUThatIsStoppedIsNotWaitedForForEver() async throws {
            let pid = guest.canary.firstProcess.pid
            kill(pid, SIGSTOP)
            defer { kill(pid, SIGCONT) }
            let report = try await refresh()
            expectBlocked(report, by: "monitor-busy")
            let list = try await command(["list", "--json"])
            #expect(list.ending == .exited(0), "\(list)")
            let plan = try await command(["plan", "guest", "\(pid)", "--json"])
            #expect(plan.ending == .exited(3), "\(plan)")
            kill(pid, SIGCONT)
            try await expectUntouched(report, "Nothing was touched")
        }

        @Test(arguments: HostileMonitor.all)
        func whatAnswersInTheMonitorsPlaceIsNotTrusted(monitor: HostileMonitor) async throws {
            let server = try ScriptedServer(monitor.script)
            let socket = guest.canary.files.qmp
            let report = try await withSocketReplaced(socket, by: server.path) { try await refresh("--qmp", socket) }
            expectBlocked(report, by: monitor.finding)
            #expect(server.connectionCount > 0)
            server.stop()
            try await expectUntouched(report, "Nothing was touched")
        }

        @Test func aMonitorWhoseSocketIsGoneIsMissing() async throws {
            let socket = guest.canary.files.qmp
            for replacement in [nil, "/etc/passwd", "/nonexistent"] {
                let pid = "\(guest.canary.firstProcess.pid)"
                let report = try await withSocketReplaced(socket, by: replacement) {
                    try await command(["refresh", "guest", pid, "--json"]).report
                }
                expectBlocked(report, by: "monitor-missing")
                try await expectUntouched(report, "Nothing was touched")
            }
        }

        // MARK: - Other arguments

        @Test(arguments: [("/dev/null", "/dev/null"), ("/proc/hyperfresh", "/proc")])
        func aStateFolderThatCannotBeIsNamed(folder: String, named: String) async throws {
            let report = try await refresh("--state-dir", folder)
            #expect([1, 3].contains(report["exit_code"]?.int), "\(report)")
            #expect(report.encoded().contains(named), "\(report)")
            try await expectUntouched(report, "Nothing was touched")
        }

        @Test func closedStreamsAreNotMistakenForTheMonitorOrTheRecord() async throws {
            // The first open gets the lowest free number: output would be written to it.
            let program = try ChildProgram(
                "/bin/sh",
                ["-c", "exec \"$0\" refresh guest \"$1\" --dry-run --verbose --json <&- >&- 2>&-"]
                    + [Live.command, guest.canary.files.qmp],
                environment: ["HYPERFRESH_STATE_DIR": guest.host.stateDirectory])
            #expect(try await program.result().ending == .exited(0))
            let history = try await command(["history", "--json"])
            #expect(try history.document["items"]?.array?.last?["outcome"] == "rehearsed", "\(history)")
            try await guest.expectRunsOnOneSide(pid: guest.canary.firstProcess.pid)
        }

        // MARK: - Expectations

        private func refresh(_ arguments: String...) async throws -> JSONValue { try await refresh(arguments) }

        private func refresh(_ arguments: [String]) async throws -> JSONValue {
            let selector = arguments.contains("--qmp") ? [] : [guest.canary.files.qmp]
            let result = try await command(["refresh", "guest"] + selector + ["--json"] + arguments)
            #expect(result.errors.isEmpty, "\(result)")
            return try result.report
        }

        private func command(_ arguments: [String]) async throws -> ChildProgram.Result {
            let start = ContinuousClock.now
            let result = try await guest.start(arguments).result(within: Self.patience * 2)
            #expect(ContinuousClock.now - start < Self.patience, "\(arguments)")
            return result
        }

        private func expectBlocked(_ report: JSONValue, by finding: String) {
            #expect(report["exit_code"] == 3, "\(report)")
            let failures = report["findings"]?.array?.filter { $0["severity"] == "fail" } ?? []
            #expect(failures.first?["id"]?.string == finding, "\(report)")
        }

        /// Checks that the error is complete and that the guest runs on its first QEMU as before.
        ///
        /// The canary itself is checked only after tests that start a process, and at the end of the suite: that takes
        /// a second.
        private func expectUntouched(_ report: JSONValue, _ whereabouts: String) async throws {
            let pid = guest.canary.firstProcess.pid
            let error = report["error"]
            #expect(error?["message"]?.string?.isEmpty == false, "\(report)")
            #expect(error?["remedy"]?.string?.isEmpty == false, "\(report)")
            #expect(error?["guest_state"]?.string?.contains(whereabouts) == true, "\(report)")
            #expect(error?["guest_state"]?.string?.contains("pid \(pid)") == true, "\(report)")
            #expect(try await guest.isRunning)
            #expect(try await guest.status() == [])
            try guest.expectNothingLeft(pid: pid)
            let sleeping = BadTarget.sleep.split(separator: " ").map(String.init)
            #expect(try ProcFS.processes().filter { (try? ProcFS.commandLine($0)) == sleeping } == [])
        }

        /// Replaces the monitor's socket by another one, or by nothing, for the duration of `body`.
        private func withSocketReplaced<Result>(
            _ socket: String, by other: String?, _ body: () async throws -> Result
        ) async throws -> Result {
            let aside = "\(guest.tools)/aside.sock"
            try #require(rename(socket, aside) == 0)
            defer {
                unlink(socket)
                rename(aside, socket)
            }
            if let other { try #require(symlink(other, socket) == 0) }
            return try await body()
        }
    }
}
