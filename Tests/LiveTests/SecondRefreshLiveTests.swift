import CanaryTesting
import Glibc
import HyperFresh
import JSON
import Linux
import QMP
import Testing

extension Live {
    /// Leftovers of an earlier controller when the guest is refreshed again before it was recovered.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct SecondRefreshLiveTests {
        private static let places = [
            "record:planned", "record:planned:2", "record:launched", "record:linked", "record:switching",
            "action:beginSwitch", "record:committed", "action:resumeNew", "record:running", "action:settle",
        ]

        @Test func anUnfinishedHandoffIsRecoveredBeforeTheNextBegins() async throws {
            try await LiveGuest.borrow { guest in
                for (index, place) in Self.places.enumerated() {
                    let comment: Comment = "\(place)"
                    let ending = try await guest.startRefresh(fault: "kill-after-\(place)").result().ending
                    #expect(ending == .killed(by: SIGKILL), comment)
                    let processes = guest.processes
                    let arguments = index.isMultiple(of: 2) ? [] : ["--dry-run"]
                    let refused = try await guest.start(
                        ["refresh", "guest", guest.canary.files.qmp, "--json"] + arguments
                    ).result().report
                    #expect(refused["exit_code"] == 3, "\(place): \(refused)")
                    let message = refused["error"]?["message"]?.string
                    #expect(message?.contains("handoff-unfinished") == true, "\(refused)")
                    #expect(refused["error"]?["remedy"]?.string?.contains("hyperfresh recover") == true, "\(refused)")
                    let plan = try await guest.command("plan", "guest", guest.canary.files.qmp, "--json")
                    #expect(plan.ending == .exited(3), "\(place): \(plan)")
                    #expect(guest.processes == processes, comment)

                    let recovery = try await guest.command("recover", "--json")
                    #expect(recovery.ending == .exited(0), "\(place): \(recovery)")
                    let report = try await guest.startRefresh().result().report
                    #expect(report["outcome"] == "refreshed", "\(place): \(report)")
                    try await guest.expectRunsOnOneSide(pid: report["new"]?["pid"]?.int.map(Int32.init), comment)
                }
                try await guest.expectSoundOnOneSide()
            }
        }

        /// A record reappears after the guest was moved by other means.
        @Test(arguments: ["record:planned", "record:linked", "record:switching"])
        func aGuestThatRunsOnAThirdQEMUIsNotSaidToBeLost(place: String) async throws {
            try await LiveGuest.borrow { guest in
                let old = try #require(guest.canary.pid)
                _ = try await guest.startRefresh(fault: "kill-after-\(place)").result()
                let folder = "\(guest.host.stateDirectory)/handoffs"
                let name = try #require(try ProcFS.names(inFolder: folder).first { $0.hasSuffix(".journal") })
                let aside = "\(guest.tools)/\(name)"
                try #require(rename("\(folder)/\(name)", aside) == 0)
                if let new = guest.processes.first(where: { $0 != old }) {
                    // Without its record, the second QEMU blocks the refresh, and the error names it.
                    let blocked = try await guest.startRefresh().result().report
                    #expect(blocked["exit_code"] == 3, "\(blocked)")
                    #expect("\(blocked["findings"] ?? .null)".contains("memory-in-use"), "\(blocked)")
                    #expect("\(blocked["findings"] ?? .null)".contains("pid \(new)"), "\(blocked)")
                    try await LiveGuest.kill(new)
                    for left in try ProcFS.names(inFolder: guest.canary.files.directory) where left.contains(".hf-") {
                        unlink("\(guest.canary.files.directory)/\(left)")
                    }
                }
                let report = try await guest.startRefresh().result().report
                #expect(report["outcome"] == "refreshed", "\(report)")
                let third = try #require(report["new"]?["pid"]?.int.map(Int32.init))

                try #require(rename(aside, "\(folder)/\(name)") == 0)
                let recovery = try await guest.command("recover", "--json")
                #expect(recovery.ending == .exited(6), "\(recovery)")
                let item = try #require(try recovery.document["items"]?[0])
                #expect(item["outcome"] == "unknown", "\(item)")
                #expect(item["summary"]?.string?.contains("pid \(third)") == true, "\(item)")
                #expect(item["remedy"]?.string?.contains("Start the guest") == false, "\(item)")
                #expect(item["settled"] == true, "\(item)")
                #expect(try await guest.command("recover", "--json").document["items"] == [])
                try await guest.expectSoundOnOneSide(pid: third)
                let again = try await guest.startRefresh().result().report
                #expect(again["outcome"] == "refreshed", "\(again)")
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test func aLossThatRecoverFindsIsStatusSix() async throws {
            try await LiveGuest.borrow { guest in
                _ = try await guest.startRefresh(fault: "kill-after-record:linked").result()
                for pid in guest.processes { try await LiveGuest.kill(pid) }
                let recovery = try await guest.command("recover", "--json")
                #expect(recovery.ending == .exited(6), "\(recovery)")
                let item = try #require(try recovery.document["items"]?[0])
                #expect(item["outcome"] == "lost", "\(item)")
                #expect(item["settled"] == true, "\(item)")
                #expect(item["remedy"]?.string?.contains("No process has the guest's memory") == true, "\(item)")
                let again = try await guest.command("recover", "--json")
                #expect(again.ending == .exited(0), "\(again)")
                #expect(try again.document["items"] == [])
                let history = try await guest.command("history", "--json")
                #expect(try history.document["items"]?[0]?["outcome"] == "lost", "\(history)")
            }
        }

        /// Two QEMUs of one handoff are gone, and an unknown process has the guest's memory.
        @Test func whoeverHasTheMemoryIsNamedBeforeALossIsSpokenOf() async throws {
            try await LiveGuest.borrow { guest in
                _ = try await guest.startRefresh(fault: "kill-after-record:linked").result()
                for pid in guest.processes { try await LiveGuest.kill(pid) }
                let memory = "memory-backend-file,id=ram0,size=256M,mem-path=\(guest.canary.files.memory),share=on"
                let stranger = try ChildProgram(
                    Live.qemu7,
                    ["-M", "pc,memory-backend=ram0", "-m", "256M", "-S", "-display", "none", "-object", memory])
                defer { stranger.signal(SIGKILL) }
                while guest.processes.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
                let recovery = try await guest.command("recover", "--json")
                #expect(recovery.ending == .exited(6), "\(recovery)")
                let item = try #require(try recovery.document["items"]?[0])
                #expect(item["outcome"] == "unknown", "\(item)")
                #expect(item["summary"]?.string?.contains("pid \(stranger.pid)") == true, "\(item)")
                #expect(item["remedy"]?.string?.contains("Start the guest") == false, "\(item)")
                #expect(!stranger.hasEnded)
            }
        }
    }
}
