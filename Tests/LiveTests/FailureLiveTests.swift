import CanaryTesting
import Glibc
import Guests
import JSON
import Linux
import QMP
import Testing

extension Live {
    /// A QEMU dies or hangs during a refresh, or a user interrupts it: the report says where the guest is, and the
    /// guest is there.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct FailureLiveTests {
        /// States in which the guest is still on the old side and the new QEMU exists.
        private static let beforeCommit = ["launched", "linked", "switching"]

        // MARK: - A QEMU dies

        @Test(arguments: [false, true])
        func aNewQEMUThatDiesLeavesTheGuestOnTheOldOne(isPaused: Bool) async throws {
            try await LiveGuest.borrow { guest in
                for state in Self.beforeCommit {
                    if isPaused { try await guest.ask(Stop()) }
                    let report = try await guest.refresh(until: "record:\(state)") { kill($0.new, SIGKILL) }
                    try await expectRolledBack(guest, report, "\(state)", isPaused: isPaused)
                    if isPaused { try await guest.ask(Cont()) }
                }
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test func aNewQEMUThatDiesWhileItLoadsLeavesTheGuestOnTheOldOne() async throws {
            try await LiveGuest.borrow { guest in
                let report = try await guest.refresh(until: "record:switching") { sides in
                    // It does not load the state; the old side stops the guest and waits.
                    kill(sides.new, SIGSTOP)
                    try startThread(name: "killer") {
                        usleep(300_000)
                        kill(sides.new, SIGKILL)
                    }
                }
                try await expectRolledBack(guest, report, "while loading", isPaused: false)
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test(arguments: beforeCommit)
        func anOldQEMUThatDiesIsLostAndNothingIsLeft(state: String) async throws {
            try await LiveGuest.borrow { guest in
                let report = try await guest.refresh(until: "record:\(state)") { kill($0.old, SIGKILL) }
                #expect(report["outcome"] == "lost", "\(report)")
                #expect(report["exit_code"] == 6)
                expectClear(report, "gone")
                #expect(guest.processes == [])
                let names = try ProcFS.names(inFolder: guest.canary.files.directory)
                #expect(names.filter { $0.contains(".hf-") } == [])
                #expect(try await guest.status() == [])
                #expect(try await guest.command("recover", "--json").document["items"] == [])
            }
        }

        @Test func anOldQEMUThatDiesOnceTheNewOneHasEverythingCostsNothing() async throws {
            try await LiveGuest.borrow { guest in
                let report = try await guest.refresh(until: "action:beginSwitch") { sides in
                    // No controller reads the events now, but both QEMUs complete their part of the switch.
                    usleep(500_000)
                    kill(sides.old, SIGKILL)
                }
                #expect(report["outcome"] == "refreshed", "\(report)")
                try await guest.expectSoundOnOneSide(pid: report["new"]?["pid"]?.int.map(Int32.init))
            }
        }

        // MARK: - A QEMU hangs

        @Test func aNewQEMUThatHangsInTheSwitchIsGivenUpAfterTheMaximumDowntime() async throws {
            try await LiveGuest.borrow { guest in
                let report = try await guest.refresh(until: "record:switching", "--max-downtime", "200ms") {
                    kill($0.new, SIGSTOP)
                }
                #expect(report["outcome"] == "timed-out", "\(report)")
                #expect(report["exit_code"] == 4)
                #expect(report["error"]?["message"]?.string?.contains("stopped for longer") == true, "\(report)")
                expectClear(report, "pid \(guest.canary.pid ?? 0)")
                #expect(try await guest.isRunning)
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test func aNewQEMUThatHangsBeforeItIsGivenUpAfterTheTimeout() async throws {
            try await LiveGuest.borrow { guest in
                let report = try await guest.refresh(until: "record:launched", "--timeout", "2s") {
                    kill($0.new, SIGSTOP)
                }
                #expect(report["outcome"] == "timed-out", "\(report)")
                #expect(report["exit_code"] == 4)
                #expect(report["error"]?["message"]?.string?.contains("not committed within") == true, "\(report)")
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test func anOldQEMUThatHangsIsNotGuessedAbout() async throws {
            try await LiveGuest.borrow { guest in
                let old = try #require(guest.canary.pid)
                let report = try await guest.refresh(until: "record:switching", "--timeout", "2s") {
                    kill($0.old, SIGSTOP)
                }
                #expect(report["outcome"] == "unknown", "\(report)")
                #expect(report["exit_code"] == 6)
                expectClear(report, "pid \(old)")
                #expect(try await guest.status().count == 1)
                let early = try await guest.command("recover", "--json")
                #expect(early.ending == .exited(6), "\(early)")
                kill(old, SIGCONT)
                let recovery = try await guest.command("recover", "--json")
                #expect(recovery.ending == .exited(0), "\(recovery)")
                #expect(try recovery.document["items"]?[0]?["outcome"] == "rolled-back")
                #expect(try await guest.isRunning)
                try await guest.expectSoundOnOneSide(pid: old)
            }
        }

        // MARK: - Success is verified

        @Test(arguments: ["action:retireOld", "action:settle", "record:retired"])
        func aNewQEMUThatDiesAtTheEndIsNoSuccess(place: String) async throws {
            try await LiveGuest.borrow { guest in
                let report = try await guest.refresh(stoppedAt: place) { try await LiveGuest.kill($0.new) }
                #expect(report["outcome"] == "lost", "\(report)")
                #expect(report["exit_code"] == 6)
                expectClear(report, "gone")
                #expect(guest.processes == [])
                let history = try await guest.command("history", "--json").document["items"]
                #expect(history?[0]?["outcome"] == "lost", "\(history ?? .null)")
                // Recovery finds what the refresh itself could not record.
                let recovery = try await guest.command("recover", "--json")
                #expect(try recovery.isSettledRecovery, "\(recovery)")
                #expect(try await guest.status() == [])
            }
        }

        @Test func aNewQEMUThatHangsAtTheEndIsNoSuccess() async throws {
            try await LiveGuest.borrow { guest in
                let sides = try await guest.standingRefresh(at: "action:settle")
                kill(sides.new, SIGSTOP)
                sides.controller.signal(SIGCONT)
                let report = try await sides.controller.result().report
                #expect(report["outcome"] == "unknown", "\(report)")
                #expect(report["exit_code"] == 6)
                expectClear(report, "pid \(sides.new)")
                #expect(report["error"]?["message"]?.string?.contains("does not answer") == true, "\(report)")
                kill(sides.new, SIGCONT)
                try await guest.expectSoundOnOneSide(pid: sides.new)
            }
        }

        @Test func aGuestThatSomebodyPausesAtTheEndIsRefreshedAndThatIsSaid() async throws {
            try await LiveGuest.borrow { guest in
                let sides = try await guest.standingRefresh(at: "record:running")
                let client = try await guest.secondMonitor(of: sides.new)
                try await client.execute(Stop())
                sides.controller.signal(SIGCONT)
                let report = try await sides.controller.result().report
                #expect(report["outcome"] == "refreshed", "\(report)")
                #expect("\(report["warnings"] ?? .null)".contains("paused"), "\(report)")
                try await client.execute(Cont())
                client.close()
                try await guest.expectSoundOnOneSide(pid: sides.new)
            }
        }

        // MARK: - Interruption

        @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
        func anInterruptedRefreshRollsBackOrGoesOnToItsEnd(signal: Int32) async throws {
            try await LiveGuest.borrow { guest in
                for state in Self.beforeCommit {
                    let report = try await guest.refresh(until: "record:\(state)") { sides in
                        // The switch takes milliseconds: delay it, so that the signal arrives first.
                        if state != "launched" { kill(sides.new, SIGSTOP) }
                        sides.controller.signal(signal)
                    }
                    try await expectRolledBack(guest, report, "signal \(signal) at \(state)", isPaused: false)
                    #expect(report["error"]?["message"]?.string?.contains("cancelled") == true, "\(report)")
                }
                let report = try await guest.refresh(until: "record:committed") { $0.controller.signal(signal) }
                #expect(report["outcome"] == "refreshed", "\(report)")
                try await guest.expectSoundOnOneSide(pid: report["new"]?["pid"]?.int.map(Int32.init))
            }
        }

        @Test func anInterruptInPreflightRollsBack() async throws {
            try await LiveGuest.borrow { guest in
                let controller = try guest.startRefresh()
                while controller.outputSoFar.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
                controller.signal(SIGINT)
                try await expectRolledBack(guest, controller.result().report, "preflight", isPaused: false)
                try await guest.expectSoundOnOneSide()
            }
        }

        // MARK: - Two controllers

        @Test func aSecondControllerLeavesTheGuestToTheFirst() async throws {
            try await LiveGuest.borrow { guest in
                let first = try guest.startRefresh(fault: "stop-after-record:linked")
                try await first.waitUntilStopped()
                for arguments in [[], ["--dry-run"]] {
                    let second = try await guest.start(
                        ["refresh", "guest", guest.canary.files.qmp, "--json"] + arguments
                    ).result()
                    let report = try second.report
                    #expect(report["exit_code"] == 3, "\(report)")
                    #expect(report["outcome"] == "blocked")
                    let findings = report["findings"]?.array ?? []
                    #expect(findings.contains { $0["id"] == "refresh-in-progress" }, "\(report)")
                    expectClear(report, "Nothing was touched")
                }
                // Nor does a recovery interfere with it.
                let recovery = try await guest.command("recover", "--json")
                #expect(recovery.ending == .exited(6), "\(recovery)")
                first.signal(SIGCONT)
                #expect(try await first.result().report["outcome"] == "refreshed")
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test func ofControllersThatStartTogetherOneWins() async throws {
            try await LiveGuest.borrow { guest in
                for _ in 1...5 {
                    let controllers = try (1...3).map { _ in try guest.startRefresh() }
                    var statuses: [Int32] = []
                    for controller in controllers {
                        let report = try await controller.result().report
                        statuses.append(report["exit_code"]?.int.map(Int32.init) ?? -1)
                        #expect([0, 3].contains(report["exit_code"]?.int), "\(report)")
                    }
                    #expect(statuses.contains(0))
                    try guest.expectNothingLeft()
                }
                try await guest.expectSoundOnOneSide()
            }
        }

        // MARK: - Expectations

        private func expectRolledBack(
            _ guest: LiveGuest, _ report: JSONValue, _ comment: Comment, isPaused: Bool
        ) async throws {
            let pid = try #require(guest.canary.pid)
            #expect(report["outcome"] == "rolled-back", "\(comment): \(report)")
            #expect(report["exit_code"] == 1, comment)
            #expect(report["old"]?["pid"]?.int == Int(pid), comment)
            expectClear(report, "pid \(pid)")
            #expect(try await guest.isRunning == !isPaused, comment)
            #expect(try await guest.status() == [], comment)
            try guest.expectNothingLeft(pid: pid, comment)
        }

        /// Checks that the error gives the reason, the place of the guest, and a remedy.
        private func expectClear(_ report: JSONValue, _ whereabouts: String) {
            let error = report["error"]
            #expect(error?["message"]?.string?.isEmpty == false, "\(report)")
            #expect(error?["guest_state"]?.string?.contains(whereabouts) == true, "\(report)")
            #expect(error?["remedy"]?.string?.isEmpty == false, "\(report)")
        }
    }
}

/// A stopped refresh, and its processes.
struct StandingRefresh {
    let controller: ChildProgram
    let old: Int32
    let new: Int32
}

extension LiveGuest {
    /// Starts a refresh with the command, which stops after a step, whatever the state of both QEMUs.
    fileprivate func standingRefresh(at place: String) async throws -> StandingRefresh {
        let old = try #require(canary.pid)
        let controller = try startRefresh(fault: "stop-after-\(place)")
        try await controller.waitUntilStopped()
        let new = try #require(processes.first { $0 != old })
        return StandingRefresh(controller: controller, old: old, new: new)
    }

    fileprivate func refresh(
        stoppedAt place: String, meanwhile: (StandingRefresh) async throws -> Void
    ) async throws -> JSONValue {
        let sides = try await standingRefresh(at: place)
        try await meanwhile(sides)
        sides.controller.signal(SIGCONT)
        return try await sides.controller.result().report
    }

    /// Refreshes with the command, which stops at a point; runs `body` there; then continues it.
    ///
    /// - Returns: the `result` line.
    func refresh(
        until place: String, _ arguments: String..., meanwhile: (StandingRefresh) async throws -> Void
    ) async throws -> JSONValue {
        let controller = try start(
            ["refresh", "guest", canary.files.qmp, "--json"] + arguments, fault: "stop-after-\(place)")
        try await controller.waitUntilStopped()
        let items = try await status()
        #expect(items.count == 1)
        #expect(items.first?["going_on"] == true, "\(items)")
        let (old, new) = (items.first?["old_pid"]?.int, items.first?["new_pid"]?.int)
        try await meanwhile(
            StandingRefresh(controller: controller, old: Int32(try #require(old)), new: Int32(try #require(new))))
        controller.signal(SIGCONT)
        return try await controller.result().report
    }
}
