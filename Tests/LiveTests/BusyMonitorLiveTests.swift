import CanaryTesting
import Glibc
import HyperFresh
import QMP
import Synchronization
import Testing

extension Live {
    /// Monitors that are busy or slow.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct BusyMonitorLiveTests {
        @Test func aGuestThatSendsTenThousandEventsASecondIsRefreshed() async throws {
            let guest = try await LiveGuest.boot("events") { files in
                var options = CanaryGuest.Options.withDisk
                options.kernelWords = ["canary.events=30000"]
                options.arguments = LiveGuest.secondMonitor(in: files) + ["-device", "pvpanic"]
                return options
            }
            defer { guest.canary.end() }
            #expect(try await guest.mostEventsPerSecond() > 10_000)
            for _ in 0..<3 {
                let report = try await guest.refresh()
                #expect(report.outcome == .refreshed, "\(report)")
                try await guest.expectSoundOnOneSide()
            }
            #expect(try await guest.mostEventsPerSecond() > 10_000)
        }

        /// Preflight alone sends about sixty commands: each takes two seconds if there is time for that, otherwise a
        /// twentieth of it.
        @Test func aQEMUThatTakesItsTimeOverEachCommandIsRefreshed() async throws {
            let delay = Duration.milliseconds(Live.isWhole ? 2000 : 100)
            let library = "/tmp/canary-slow-monitor-\(getpid()).so"
            defer { unlink(library) }
            let compiler = try await ChildProgram.run(
                "gcc", ["-shared", "-fPIC", "-o", library, "\(Live.packageRoot)/Tests/SlowMonitor/slow-monitor.c"])
            try #require(compiler.ending == .exited(0), "\(compiler)")
            var options = CanaryGuest.Options.withDisk
            options.environment = ["LD_PRELOAD=\(library)", "SLOW_MONITOR_MS=\(delay / .milliseconds(1))"]
            let guest = try await LiveGuest.boot("slow") { _ in options }
            defer { guest.canary.end() }
            let hasty = try await guest.refresh { $0.timeout = delay * 4 }
            #expect(hasty.outcome == .timedOut, "\(hasty)")
            try await guest.expectSoundOnOneSide(pid: hasty.old?.pid)
            let patient = try await guest.refresh { request in
                request.timeout = .seconds(600)
                request.maximumDowntime = .seconds(60)
            }
            #expect(patient.outcome == .refreshed, "\(patient)")
            try await guest.expectSoundOnOneSide(pid: patient.new?.pid)
        }
    }
}

extension LiveGuest {
    /// Returns the highest rate of several seconds: on a busy machine, an emulated guest may send no event in some of
    /// them.
    fileprivate func mostEventsPerSecond() async throws -> Int {
        var most = 0
        for _ in 0..<30 where most <= 10_000 { most = max(most, try await eventsPerSecond()) }
        return most
    }

    /// Returns the number of events that the guest's second monitor receives within a second.
    private func eventsPerSecond() async throws -> Int {
        let client = try await secondMonitor(of: #require(canary.pid))
        defer { client.close() }
        let count = Mutex(0)
        let tap = client.tap(named: ["GUEST_CRASHLOADED"]) { _ in count.withLock { $0 += 1 } }
        let begin = ContinuousClock.now
        try await Task.sleep(for: .seconds(1))
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        return withExtendedLifetime(tap) { Int(Double(count.withLock { $0 }) / seconds) }
    }
}
