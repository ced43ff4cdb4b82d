import CanaryTesting
import Glibc
import HyperFresh
import Linux
import QMP
import Testing

extension Live {
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct RefreshLiveTests {
        /// A guest just booted, with neither a disk, whose lock would tell two QEMUs apart, nor a second monitor.
        @Test func aGuestMovesToAFreshQEMUAndNoticesNothing() async throws {
            try await LiveGuest.borrow { guest in
                let before = try #require(guest.canary.pid)
                let report = try await guest.refresh()
                #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                #expect(report.old?.pid == before)
                #expect(report.new?.pid != before)
                #expect(report.new?.qmp == guest.canary.files.qmp)
                #expect(report.timing != nil)
                #expect(try await guest.ask(QueryStatus()).isRunning)
                try await guest.expectSoundOnOneSide(pid: report.new?.pid)
            }
        }

        @Test func aRefreshedGuestIsRefreshedAgainAndAgain() async throws {
            try await LiveGuest.borrow { guest in
                for _ in 1...5 {
                    let report = try await guest.refresh()
                    #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                }
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test(.enabled(if: Live.hasSecondQEMU, Live.howToGetReady))
        func aGuestCrossesVersionsForthAndBack() async throws {
            try await LiveGuest.borrow { guest in
                for target in [Live.qemu10, Live.qemu10, Live.qemu7] {
                    let report = try await guest.refresh(to: target)
                    #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                    try await guest.expectSoundOnOneSide(pid: report.new?.pid)
                }
                #expect(try await guest.ask(QueryVersion()).major == 7)
            }
        }

        @Test func aDryRunNeverPausesTheGuest() async throws {
            try await LiveGuest.borrow { guest in
                let before = try #require(guest.canary.pid)
                let report = try await guest.refresh { $0.isRehearsal = true }
                #expect(report.outcome == .rehearsed, "\(report.failure.map(\.description) ?? "")")
                #expect(report.timing == nil)
                #expect(!report.phases.contains { $0.phase == .handover })
                try await guest.expectSoundOnOneSide(pid: before)
                // The old QEMU's migration settings are restored.
                #expect(try await guest.ask(QueryMigrateCapabilities())["x-ignore-shared"] == false)
            }
        }

        @Test func verboseShowsEachCommandWithItsSide() async throws {
            try await LiveGuest.run("verbose") { guest in
                let result = try await guest.command("refresh", "guest", guest.canary.files.qmp, "--verbose")
                #expect(result.ending == .exited(0), "\(result)")
                let lines = result.errors.split(separator: "\n")
                func line(_ side: String, _ text: String) -> Substring? {
                    lines.first { $0.contains("side=\(side):") && $0.hasSuffix(": \(text)") }
                }
                for command in ["query-status", "migrate-set-capabilities"] {
                    #expect(line("old", "-> \(command)") != nil)
                }
                // What happens between STOP and RESUME is written afterwards, with its time.
                for line in [line("old", "<- event STOP"), line("new", "-> cont"), line("new", "<- event RESUME")] {
                    #expect(line?.contains("after=") == true, "\(result.errors)")
                }
                #expect(lines.contains { $0.contains("started \(Live.qemu7)") }, "\(result.errors)")
            }
        }

        @Test func aPausedGuestStaysPaused() async throws {
            try await LiveGuest.borrow { guest in
                try await guest.ask(Stop())
                let report = try await guest.refresh()
                #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                #expect(try await !guest.ask(QueryStatus()).isRunning)
                try await guest.ask(Cont())
                try await guest.expectSoundOnOneSide(pid: report.new?.pid)
            }
        }

        @Test func aMaximumDowntimeThatCannotBeKeptRollsBack() async throws {
            try await LiveGuest.borrow { guest in
                let before = try #require(guest.canary.pid)
                let report = try await guest.refresh { $0.maximumDowntime = .microseconds(1) }
                #expect(report.outcome == .timedOut)
                try await guest.expectSoundOnOneSide(pid: before)
            }
        }

        @Test func aCancelledRefreshRollsBack() async throws {
            try await LiveGuest.borrow { guest in
                let before = try #require(guest.canary.pid)
                let refresh = guest.host.refresh(RefreshRequest(guest: guest.canary.files.qmp))
                for await progress in refresh.progress {
                    if case .event(.began(.launch)) = progress { refresh.cancel() }
                    if case .finished(let report) = progress { #expect(report.outcome == .rolledBack) }
                }
                try await guest.expectSoundOnOneSide(pid: before)
            }
        }
    }
}
