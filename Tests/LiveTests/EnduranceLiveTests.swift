import CanaryTesting
import Glibc
import Handoff
import HyperFresh
import Journal
import Linux
import QMP
import Testing

extension Live {
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct EnduranceLiveTests {
        /// The number of refreshes; `HYPERFRESH_ENDURANCE` overrides it.
        private static let count = getenv("HYPERFRESH_ENDURANCE").flatMap { Int(String(cString: $0)) } ?? 50
        /// The number of kept journals of finished handoffs: each refresh removes one.
        private static let keptJournals = 100

        @Test func manyRefreshesInARowLeaveNothingBehind() async throws {
            var options = CanaryGuest.Options.withDisk
            options.pace = "1024"
            try await LiveGuest.run("endurance", options: options) { guest in
                let journals = try JournalDirectory("\(guest.canary.files.directory)/state")
                for index in 1...Self.keptJournals {
                    _ = try journals.create(id: "old-\(index)", state: HandoffState.retired.rawValue, facts: [:])
                }
                var switches: [Int] = []
                var shares: [Int] = []
                // The first refreshes open lasting descriptors; after them, every count must stay constant.
                try await refresh(guest, times: 5, &switches, &shares)
                let before = try await Resources(of: guest)
                let open = try OpenDescriptors.now()
                try await refresh(guest, times: Self.count - 5, &switches, &shares)
                // A descriptor closed a moment ago disappears once the thread that waited on it has run.
                var after = try await Resources(of: guest)
                for _ in 0..<25 where !after.isNoMore(than: before) {
                    try await Task.sleep(for: .milliseconds(200))
                    after = try await Resources(of: guest)
                }
                let new = try OpenDescriptors.now().new(since: open).joined(separator: "; ")
                #expect(after.isNoMore(than: before), "\(after), before: \(before), new here: \(new)")
                try await guest.expectSoundOnOneSide()
                #expect(guest.canary.reports.allSatisfy { $0.anomalies == 0 })
                print(
                    "\(Self.count) refreshes: switch \(Self.percentiles(switches)), controller \(Self.percentiles(shares))"
                )
                print("before: \(before)\nafter:  \(after)")
            }
        }

        private func refresh(
            _ guest: LiveGuest, times: Int, _ switches: inout [Int], _ shares: inout [Int]
        ) async throws {
            for _ in 0..<times {
                let report = try await guest.refresh()
                try #require(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                let timing = try #require(report.timing)
                switches.append(timing.stopToResume)
                shares.append(timing.controller)
            }
        }

        private static func percentiles(_ samples: [Int]) -> String {
            let sorted = samples.sorted()
            let values = [50, 95, 99].map { percent in "p\(percent) \(sorted[(sorted.count - 1) * percent / 100]) us" }
            return values.joined(separator: ", ")
        }
    }
}

/// Counts of the resources that a refresh could leak.
private struct Resources: CustomStringConvertible {
    var guestDescriptors: Int
    var ownDescriptors: Int
    var ownThreads: Int
    var files: Int
    var journals: Int
    var sockets: Int
    var memory: Int

    init(of guest: LiveGuest) async throws {
        let files = guest.canary.files
        guestDescriptors = try await guest.descriptorCount()
        ownDescriptors = try ProcFS.descriptors(getpid()).count
        ownThreads = try ProcFS.names(inFolder: "/proc/self/task").count
        self.files = try ProcFS.names(inFolder: files.directory).count
        journals = try ProcFS.names(inFolder: "\(files.directory)/state/handoffs").count
        sockets = try ProcFS.unixSockets().filter { $0.path?.contains(files.directory) == true }.count
        memory = try ProcFS.names(inFolder: "/dev/shm").filter { $0.contains(files.unique) }.count
    }

    /// Thread pools may differ by a few threads.
    func isNoMore(than other: Resources) -> Bool {
        guestDescriptors <= other.guestDescriptors && ownDescriptors <= other.ownDescriptors + 2
            && ownThreads <= other.ownThreads + 4 && files <= other.files && journals <= other.journals
            && sockets <= other.sockets && memory <= other.memory
    }

    var description: String {
        "guest's descriptors \(guestDescriptors), ours \(ownDescriptors), threads \(ownThreads), files \(files), "
            + "journals \(journals), sockets \(sockets), shared memory \(memory)"
    }
}
