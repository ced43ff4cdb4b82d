import CanaryTesting
import Glibc
import HyperFresh
import JSON
import Linux
import QMP
import Testing

extension Live {
    /// A guest powers itself off during its refresh: it is not resumed, and the report says where it is.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct EndedGuestLiveTests {
        private static let binaries = [Live.qemu7] + (Live.hasSecondQEMU ? [Live.qemu10] : [])

        /// The test controls the guest through an additional serial port and an additional monitor.
        private static func options(_ binary: String, _ arguments: [String]) -> CanaryGuest.Options {
            var options = CanaryGuest.Options.withDisk
            options.binary = binary
            options.kernelWords = ["canary.control=ttyS1"]
            options.arguments =
                [
                    "-serial", "unix:control.sock,server=on,wait=off",
                    "-chardev", "socket,id=side,path=side.sock,server=on,wait=off", "-mon", "chardev=side,mode=control",
                ] + arguments
            return options
        }

        @Test(arguments: binaries) func aRollbackDoesNotLetItRunAgain(binary: String) async throws {
            try await LiveGuest.run("ended-back", options: Self.options(binary, ["-no-shutdown"])) { guest in
                let old = try #require(guest.canary.pid)
                let report = try await guest.refresh(until: "record:switching", "--to", binary) { sides in
                    try await guest.powerOff()
                    // It does not load the state; the old side sends all of it and waits.
                    kill(sides.new, SIGSTOP)
                    try startThread(name: "killer") {
                        usleep(300_000)
                        kill(sides.new, SIGKILL)
                    }
                }
                #expect(report["outcome"] == "rolled-back", "\(report)")
                #expect(report["exit_code"] == 1)
                expectTold(report["error"]?["guest_state"], "the old QEMU (pid \(old))")
                try guest.expectNothingLeft(pid: old)
                // QEMU 7.2 reports `postmigrate` now, and would resume it.
                let isForgetful = binary == Live.qemu7
                #expect(try await guest.ask(QueryStatus()).state == (isForgetful ? .postmigrate : .shutdown))
                try await expectSilent(guest)
                try await startAnew(guest)
            }
        }

        @Test(arguments: binaries) func aRefreshTakesItAlongAsItIs(target: String) async throws {
            try await LiveGuest.run("ended-on", options: Self.options(Live.qemu7, ["-no-shutdown"])) { guest in
                let report = try await guest.refresh(until: "record:switching", "--to", target) { _ in
                    try await guest.powerOff()
                }
                #expect(report["outcome"] == "refreshed", "\(report)")
                #expect(report["exit_code"] == 0)
                #expect(report["switch_ms"] == nil)
                let new = try #require(report["new"]?["pid"]?.int.map(Int32.init))
                #expect(report["warnings"]?.array?.count == 1)
                expectTold(report["warnings"]?[0], "the new QEMU (pid \(new))")
                try guest.expectNothingLeft(pid: new)
                #expect(try await guest.ask(QueryStatus()).state == .shutdown)
                try await expectSilent(guest)
                try await startAnew(guest)
            }
        }

        @Test func itIsOverWhenItsQEMUEndsWithIt() async throws {
            try await LiveGuest.run("ended-gone", options: Self.options(Live.qemu7, [])) { guest in
                let report = try await guest.refresh(until: "record:switching") { _ in try await guest.powerOff() }
                #expect(report["outcome"] == "lost", "\(report)")
                #expect(report["exit_code"] == 6)
                #expect(report["error"]?["message"] == "the guest shut itself down during the refresh", "\(report)")
                #expect(guest.processes == [])
                let names = try ProcFS.names(inFolder: guest.canary.files.directory)
                #expect(names.filter { $0.contains(".hf-") } == [])
                #expect(try await guest.status() == [])
            }
        }

        // MARK: - Expectations

        private func expectTold(_ text: JSONValue?, _ side: String) {
            #expect(text?.string?.contains("The guest shut itself down during the refresh. It is on \(side)") == true)
            #expect(text?.string?.contains("system_reset") == true)
        }

        /// Its vCPUs do not run: it sends no report for the time of five reports.
        private func expectSilent(_ guest: LiveGuest) async throws {
            let before = guest.canary.reports.count
            try await Task.sleep(for: .seconds(1))
            #expect(guest.canary.reports.count == before)
            #expect(try await !guest.isRunning)
        }

        /// Follows the remedy in the report.
        private func startAnew(_ guest: LiveGuest) async throws {
            let client = try await QMPClient.connect(path: guest.canary.files.qmp)
            defer { client.close() }
            let boots = guest.canary.boots
            try await client.executeRaw("system_reset")
            try await client.execute(Cont())
            _ = try await guest.canary.nextBoot(after: boots)
            _ = try await guest.canary.proveAlive()
        }
    }
}

extension LiveGuest {
    /// Makes the guest power itself off, and waits until QEMU has stopped it or has exited.
    fileprivate func powerOff() async throws {
        let control = try UnixStream.connect(path: "\(canary.files.directory)/control.sock")
        try control.send(Array("poweroff\n".utf8))
        let monitor = try await QMPClient.connect(path: "\(canary.files.directory)/side.sock")
        defer { monitor.close() }
        let end = ContinuousClock.now + .seconds(30)
        while let status = try? await monitor.execute(QueryStatus()), status.state != .shutdown {
            try #require(ContinuousClock.now < end, "it does not power itself off: \(status)")
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
