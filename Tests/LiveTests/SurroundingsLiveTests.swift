import CanaryTesting
import Glibc
import HyperFresh
import JSON
import Linux
import QMP
import QMPTesting
import Testing

extension Live {
    /// Another process changes the guest, its memory, its process or its record during a refresh.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct SurroundingsLiveTests {
        /// From before the new QEMU exists until just before the old one is told to send the state.
        private static let places = beforeLink + ["after-record:switching"]
        /// Until the two are linked: which run state is seen in the milliseconds after that depends on timing here.
        private static let beforeLink = ["before-action:launchNew", "after-record:launched"]

        // MARK: - Another client at the guest's other monitor

        @Test(arguments: beforeLink)
        func aGuestThatSomebodyPausesStaysPaused(place: String) async throws {
            try await LiveGuest.borrow { guest in
                let report = try await guest.refresh(at: place) { try await $0.executeRaw("stop") }
                #expect(report["outcome"] == "refreshed", "\(report)")
                #expect(try await !guest.isRunning)
                try await guest.ask(Cont())
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test(arguments: beforeLink)
        func aGuestThatSomebodyLetsRunRuns(place: String) async throws {
            try await LiveGuest.borrow { guest in
                try await guest.ask(Stop())
                let report = try await guest.refresh(at: place) { try await $0.executeRaw("cont") }
                #expect(report["outcome"] == "refreshed", "\(report)")
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test(arguments: places)
        func aGuestThatSomebodyResetsBootsOnTheNewSide(place: String) async throws {
            try await LiveGuest.borrow { guest in
                let boots = guest.canary.boots
                let report = try await guest.refresh(at: place) { try await $0.executeRaw("system_reset") }
                #expect(report["outcome"] == "refreshed", "\(report)")
                let boot = try await guest.canary.nextBoot(after: boots)
                #expect(boot.anomalies == 0)
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test(arguments: places)
        func aDeviceThatSomebodyAddsIsNotLost(place: String) async throws {
            try await LiveGuest.borrow { guest in
                let old = guest.canary.pid
                let report = try await guest.refresh(at: place) {
                    try await $0.executeRaw(
                        "device_add", arguments: ["driver": "virtio-rng-pci", "id": "late", "bus": "slot1"])
                }
                #expect(report["outcome"] == "rolled-back", "\(report)")
                try await guest.expectSoundOnOneSide(pid: old)
                // Now it is known before the handoff and included in it.
                #expect(try await guest.refresh().outcome == .refreshed)
                try await guest.expectSoundOnOneSide()
                // No other test wants a guest with one device more.
                guest.canary.end()
            }
        }

        @Test(arguments: beforeLink)
        func aGuestThatSomebodyMigratesIsLeftToThem(place: String) async throws {
            try await LiveGuest.borrow { guest in
                let old = guest.canary.pid
                // Its reader never reads.
                let sink = try ScriptedServer([.hang])
                let report = try await guest.refresh(at: place) {
                    try await $0.executeRaw("migrate", arguments: ["uri": .string("unix:\(sink.path)")])
                }
                #expect(report["outcome"] == "rolled-back", "\(report)")
                #expect(guest.canary.pid == old)
                let migration = try await guest.ask(QueryMigrate())
                #expect(migration.status?.isFinal == false, "\(migration)")
                try await guest.ask(MigrateCancel())
                try await guest.expectSoundOnOneSide(pid: old)
            }
        }

        // MARK: - The guest's memory, the controller's pid, its record

        @Test func memoryThatIsNoLongerTheGuestsIsNotTaken() async throws {
            try await LiveGuest.borrow { guest in
                let memory = guest.canary.files.memory
                let away = "\(memory)-away"
                for isLink in [false, true] {
                    let report = try await guest.refreshStanding(at: "before-action:launchNew") {
                        try #require(rename(memory, away) == 0)
                        let other = isLink ? "\(memory)-other" : memory
                        let file = try Descriptor.open(other, flags: O_RDWR | O_CREAT | O_EXCL)
                        try #require(ftruncate(file.number, 256 << 20) == 0)
                        if isLink { try #require(symlink(other, memory) == 0) }
                    }
                    #expect(report["outcome"] == "rolled-back", "\(report)")
                    #expect("\(report["error"] ?? .null)".contains("QEMU has no file "), "\(report)")
                    unlink("\(memory)-other")
                    try #require(rename(away, memory) == 0)
                    try await guest.expectSoundOnOneSide()
                }
            }
        }

        @Test(.enabled(if: geteuid() == 0, "needs root, to choose a pid"))
        func aPidThatIsSomebodyElsesNowIsNobodysSide() async throws {
            try await LiveGuest.borrow { guest in
                let old = try #require(guest.canary.pid)
                let controller = try guest.startRefresh(fault: "stop-after-record:committed")
                try await controller.waitUntilStopped()
                controller.signal(SIGKILL)
                _ = try await controller.result()
                kill(old, SIGKILL)
                let bystander = try await process(withPid: old)
                defer { bystander.signal(SIGKILL) }
                let recovery = try await guest.command("recover", "--json")
                #expect(recovery.ending == .exited(0), "\(recovery)")
                #expect(bystander.pid == old && !bystander.isStopped && !bystander.hasEnded)
                try await guest.expectSoundOnOneSide()
            }
        }

        /// Starts a child with this pid; sets the last pid before each try, because other processes start, too.
        private func process(withPid pid: Int32) async throws -> ChildProgram {
            let path = "/proc/sys/kernel/ns_last_pid"
            for _ in 0..<500 {
                let file = try Descriptor.open(path, flags: O_WRONLY)
                try Files.write(Array("\(pid - 1)".utf8), to: file, name: path)
                let child = try ChildProgram("sleep", ["1000"])
                if child.pid == pid { return child }
                child.signal(SIGKILL)
                try await Task.sleep(for: .milliseconds(5))
            }
            throw SystemError(operation: "clone", subject: "pid \(pid)", code: EBUSY)
        }

        /// Damages to a record.
        private static let damages: [@Sendable ([UInt8]) -> [UInt8]] = [
            { bytes in bytes.enumerated().map { $0.offset == bytes.count / 2 ? $0.element ^ 4 : $0.element } },
            { bytes in Array(bytes.drop { $0 != UInt8(ascii: "\n") }) },
            { _ in Array("not a journal\n".utf8) },
        ]

        @Test func aDamagedRecordIsNotActedUpon() async throws {
            try await LiveGuest.borrow { guest in
                let controller = try guest.startRefresh(fault: "kill-after-record:committed")
                _ = try await controller.result()
                let folder = "\(guest.host.stateDirectory)/handoffs"
                let name = try #require(try ProcFS.names(inFolder: folder).first { $0.hasSuffix(".journal") })
                let bytes = try Files.readAll("\(folder)/\(name)")
                let processes = guest.processes
                for damage in Self.damages {
                    try Files.replaceAtomically("\(folder)/\(name)", bytes: damage(bytes))
                    let recovery = try await guest.command("recover", "--json")
                    #expect(recovery.status == 6, "\(recovery)")
                    #expect("\(recovery)".contains(name), "\(recovery)")
                    #expect(guest.processes == processes)
                }
                // An incomplete last line does not count: the action that it would record was not done either.
                try Files.replaceAtomically("\(folder)/\(name)", bytes: bytes)
                #expect(try await guest.command("recover", "--json").status == 0)
                try await guest.expectSoundOnOneSide()
            }
        }
    }
}

extension LiveGuest {
    /// Refreshes with the command, which stops at a point; runs `meanwhile` there.
    fileprivate func refreshStanding(at place: String, meanwhile: () async throws -> Void) async throws -> JSONValue {
        let controller = try startRefresh(fault: "stop-\(place)")
        try await controller.waitUntilStopped()
        try await meanwhile()
        // The other client has disconnected by now.
        try await Task.sleep(for: .milliseconds(50))
        controller.signal(SIGCONT)
        return try await controller.result().report
    }

    /// Refreshes as above, with another client at the old QEMU's second monitor.
    fileprivate func refresh(
        at place: String, somebody: (QMPClient) async throws -> JSONValue
    ) async throws -> JSONValue {
        let old = try #require(canary.pid)
        return try await refreshStanding(at: place) {
            let client = try await secondMonitor(of: old)
            defer { client.close() }
            _ = try await somebody(client)
        }
    }
}
