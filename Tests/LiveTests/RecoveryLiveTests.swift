import CanaryTesting
import Glibc
import Guests
import JSON
import Linux
import QMP
import Testing

extension Live {
    /// The controller is killed with SIGKILL at any point: `recover` finds the only right place of the guest
    /// (docs/recovery.md).
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct RecoveryLiveTests {
        /// A point to die at, and the expected result.
        struct Death: Sendable, CustomStringConvertible {
            /// The point, as in FaultPoint.swift.
            let fault: String
            /// Further arguments for the refresh.
            var arguments: [String] = []
            /// The state on record at that point; `nil` if the handoff has ended.
            let recorded: String?
            /// Whether the guest belongs to the new side.
            var isCommitted = false

            var description: String { ([fault] + arguments).joined(separator: " ") }
        }

        private static let deaths = [
            Death(fault: "record:planned", recorded: "planned"),
            Death(fault: "record:planned:2", recorded: "planned"),
            Death(fault: "action:launchNew", recorded: "planned"),
            Death(fault: "record:launched", recorded: "launched"),
            Death(fault: "record:launched:2", recorded: "launched"),
            Death(fault: "action:link", recorded: "launched"),
            Death(fault: "record:linked", recorded: "linked"),
            Death(fault: "record:switching", recorded: "switching"),
            Death(fault: "action:beginSwitch", recorded: "switching"),
            Death(fault: "action:removeNew", arguments: ["--dry-run"], recorded: "linked"),
            Death(fault: "action:restoreOld", arguments: ["--dry-run"], recorded: "linked"),
            Death(fault: "record:rolledBack", arguments: ["--dry-run"], recorded: nil),
            Death(fault: "record:committed", recorded: "committed", isCommitted: true),
            Death(fault: "record:running", recorded: "running", isCommitted: true),
            Death(fault: "action:retireOld", recorded: "running", isCommitted: true),
            Death(fault: "action:settle", recorded: "running", isCommitted: true),
            Death(fault: "record:retired", recorded: nil, isCommitted: true),
        ]

        /// Points that need a running guest: a paused one is not resumed, and its downtime cannot be too long.
        private static let deathsOfRunning = [
            Death(fault: "action:resumeNew", recorded: "committed", isCommitted: true),
            Death(fault: "action:removeNew", arguments: ["--max-downtime", "0.001ms"], recorded: "switching"),
            Death(fault: "action:restoreOld", arguments: ["--max-downtime", "0.001ms"], recorded: "switching"),
        ]

        @Test func aRunningGuestRunsOnceWhereverTheControllerDies() async throws {
            try await LiveGuest.borrow { guest in
                for death in Self.deaths + Self.deathsOfRunning {
                    try await recover(guest, from: death, isPaused: false)
                }
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test func aPausedGuestStaysPausedWhereverTheControllerDies() async throws {
            try await LiveGuest.borrow { guest in
                for death in Self.deaths { try await recover(guest, from: death, isPaused: true) }
                try await guest.expectSoundOnOneSide()
            }
        }

        private func recover(_ guest: LiveGuest, from death: Death, isPaused: Bool) async throws {
            let comment: Comment = "\(death)"
            let old = try #require(guest.canary.pid)
            let settings = try await guest.ask(QueryMigrateCapabilities())
            let descriptors = try await guest.descriptorCount()
            if isPaused { try await guest.ask(Stop()) }

            let controller = try guest.start(
                ["refresh", "guest", guest.canary.files.qmp] + death.arguments, fault: "kill-after-\(death.fault)")
            let ending = try await controller.result().ending
            #expect(ending == .killed(by: SIGKILL), comment)
            try await expectUnfinished(guest, death, old: old)

            let recovery = try await guest.command("recover", "--json")
            #expect(recovery.ending == .exited(0), "\(death): \(recovery)")
            try expectRecovered(recovery, death, guest)
            let again = try await guest.command("recover", "--json")
            #expect(again.ending == .exited(0), comment)
            #expect(try again.document["items"] == [], comment)
            #expect(try await guest.status() == [], comment)

            let now = try #require(guest.canary.pid)
            #expect((now != old) == death.isCommitted, comment)
            #expect(try await guest.isRunning == !isPaused, comment)
            #expect(try await guest.ask(QueryMigrateCapabilities()) == settings, comment)
            if isPaused { try await guest.ask(Cont()) }
            try await guest.expectRunsOnOneSide(pid: now, comment)
            if now == old { #expect(try await guest.descriptorCount() == descriptors, comment) }
        }

        private func expectUnfinished(_ guest: LiveGuest, _ death: Death, old: Int32) async throws {
            let items = try await guest.status()
            #expect(items.count == (death.recorded == nil ? 0 : 1), "\(death)")
            guard let item = items.first else { return }
            #expect(item["state"]?.string == death.recorded, "\(death)")
            #expect(item["old_pid"]?.int == Int(old), "\(death)")
            #expect(item["going_on"] == false, "\(death)")
            #expect(item["guest"]?.string != nil && item["since"]?.string != nil, "\(death)")
        }

        private func expectRecovered(_ result: ChildProgram.Result, _ death: Death, _ guest: LiveGuest) throws {
            let document = try result.document
            #expect(document["type"] == "recovery")
            let items = try #require(document["items"]?.array)
            #expect(items.count == (death.recorded == nil ? 0 : 1), "\(death)")
            guard let item = items.first else { return }
            #expect(item["recorded"]?.string == death.recorded, "\(death)")
            #expect(item["outcome"] == (death.isCommitted ? "refreshed" : "rolled-back"), "\(death): \(item)")
            #expect(item["settled"] == true, "\(death)")
        }
    }
}
