import CanaryTesting
import Glibc
import HyperFresh
import JSON
import Linux
import Testing

extension Live {
    /// Several controllers at once on one guest: each loser's error names the controller at work.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct ContentionLiveTests {
        private static let places = [
            "record:planned", "record:planned:2", "action:launchNew", "record:linked", "action:beginSwitch",
            "record:committed", "record:running", "action:retireOld", "action:settle",
        ]

        @Test func whoeverComesSecondHearsWhoIsAtWork() async throws {
            try await LiveGuest.borrow { guest in
                // Selects the guest by name, which also identifies its new QEMU, and by socket, one after the other.
                for (index, place) in Self.places.enumerated() {
                    let first = try guest.startRefresh(fault: "stop-after-\(place)")
                    try await first.waitUntilStopped()
                    let selectors = [SpareGuest.name, guest.canary.files.qmp]
                    let losers = try (Live.isWhole ? selectors : [selectors[index % 2]]).flatMap(Self.verbs)
                    // All at once: each waits a while for the first to end.
                    for (arguments, loser) in try losers.map({ ($0, try guest.start($0)) }) {
                        let result = try await loser.result()
                        let what = "\(place), \(arguments.joined(separator: " ")): \(result)"
                        let isRecovery = arguments[0] == "recover"
                        #expect(result.status == (isRecovery ? 6 : 3), "\(what)")
                        try Self.expectClear(result, arguments, "\(what)")
                        // If both QEMUs exist, or none at its lasting socket, the error names the refresh itself.
                        let isNamed = result.output.contains("pid \(first.pid) (hyperfresh refresh guest")
                        let isUnfinished = result.output.contains("an unfinished handoff")
                        #expect(isNamed || (!isRecovery && isUnfinished), "\(what)")
                    }
                    first.signal(SIGCONT)
                    let outcome = try await first.result().report["outcome"]
                    #expect(outcome == "refreshed" || outcome == "timed-out", "\(place): \(outcome ?? .null)")
                    try await guest.expectRunsOnOneSide("\(place)")
                }
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test func ofManyAtOnceEachHearsTheTruth() async throws {
            try await LiveGuest.borrow { guest in
                for round in 0..<(Live.isWhole ? 6 : 2) {
                    let selector = round.isMultiple(of: 2) ? SpareGuest.name : guest.canary.files.qmp
                    let verbs = try Self.verbs(selector) + Self.verbs(selector).prefix(1)
                    let order = (0..<verbs.count).map { verbs[($0 + round) % verbs.count] }
                    let all = try order.map { ($0, try guest.start($0)) }
                    for (arguments, controller) in all {
                        let result = try await controller.result(within: .seconds(120))
                        let what = "round \(round), \(arguments.joined(separator: " ")): \(result)"
                        if result.status == 0 { continue }
                        #expect(result.status == (arguments[0] == "recover" ? 6 : 3), "\(what)")
                        try Self.expectClear(result, arguments, "\(what)")
                        let isTold = ["is working", "was working", "an unfinished handoff"].contains {
                            result.output.contains($0)
                        }
                        #expect(isTold, "\(what)")
                    }
                    try await guest.expectRunsOnOneSide("round \(round)")
                }
                try await guest.expectSoundOnOneSide()
            }
        }

        private static func verbs(_ selector: String) throws -> [[String]] {
            [
                ["refresh", "guest", selector, "--json"], ["refresh", "guest", selector, "--dry-run", "--json"],
                ["plan", "guest", selector, "--json"], ["recover", "--json"],
            ]
        }

        /// The error has no remedy for another problem: another monitor client, a second guest of this name, recovery,
        /// killing a process.
        private static func expectClear(
            _ result: ChildProgram.Result, _ arguments: [String], _ what: String
        ) throws {
            let words = [
                "ss -xp", "is the name of", "chardev", "kill", "start it again", "Restart the guest", "ends it",
            ]
            for word in words {
                #expect(!result.output.contains(word), "\(word): \(what)")
            }
            for finding in try result.lines.last?["findings"]?.array ?? [] where finding["severity"] == "fail" {
                #expect(finding["id"] == "refresh-in-progress", "\(what)")
            }
        }
    }
}
