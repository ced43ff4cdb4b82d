import CanaryTesting
import HyperFresh
import JSON
import Linux
import QMP
import Testing

extension Live {
    /// After a refresh, a guest must behave like any other: next refresh, `cont`, snapshots, block jobs.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct AfterHandoffLiveTests {
        /// Operations of other clients on a guest's disk; the one that binds the disk to a version comes last.
        enum DiskWork: String, CaseIterable, Sendable {
            case resize, snapshot, mirror, commit, saveVM
        }

        /// From version to version: each deed is done on both, and what was done goes along to the other.
        ///
        /// To 7.2 as well, where images must not be inactive. A snapshot of a later QEMU's machine does not go there: it is
        /// the last.
        @Test(arguments: [false, true]) func aRefreshedGuestsDiskCanBeWorkedOn(isPaused: Bool) async throws {
            try await withGuest { guest in
                if isPaused { try await guest.ask(Stop()) }
                for work in DiskWork.allCases {
                    for target in targets {
                        try await refresh(guest, to: target)
                        try await perform(work, on: guest)
                    }
                }
                try await refresh(guest, to: targets[targets.count - 1])
                #expect(try await guest.isRunning == !isPaused)
                if isPaused { try await guest.ask(Cont()) }
                _ = try await guest.canary.proveAlive()
            }
        }

        @Test(arguments: targets) func aPausedGuestIsRefreshedManyTimes(target: String) async throws {
            try await withGuest { guest in
                try await guest.ask(Stop())
                for hop in 0..<4 { try await refresh(guest, to: hop.isMultiple(of: 2) ? target : Live.qemu7) }
                try await guest.ask(Cont())
                _ = try await guest.canary.proveAlive()
                try await refresh(guest, to: target)
                try await guest.expectRunsOnOneSide()
            }
        }

        @Test func aPausedGuestThatWasRolledBackCanBeWorkedOn() async throws {
            try await withGuest { guest in
                try await guest.ask(Stop())
                let old = guest.canary.pid
                let report = try await guest.startRefresh(fault: "fail-before-record:committed").result().report
                #expect(report["outcome"] == "rolled-back", "\(report)")
                #expect(guest.canary.pid == old)
                for work in DiskWork.allCases { try await perform(work, on: guest) }
                try await guest.ask(Cont())
                _ = try await guest.canary.proveAlive()
                try await refresh(guest, to: Live.qemu7)
                _ = try await guest.canary.proveAlive()
            }
        }

        @Test func aPausedGuestWhoseControllerDiedCanBeWorkedOn() async throws {
            try await withGuest { guest in
                try await guest.ask(Stop())
                _ = try await guest.startRefresh(fault: "kill-after-record:committed").result()
                #expect(try await guest.command("recover", "--json").status == 0)
                for work in DiskWork.allCases { try await perform(work, on: guest) }
                try await refresh(guest, to: Live.qemu7)
                try await guest.ask(Cont())
                _ = try await guest.canary.proveAlive()
            }
        }

        // MARK: - Operations

        private func perform(_ work: DiskWork, on guest: LiveGuest) async throws {
            let folder = guest.tools
            let version = try await guest.ask(QueryVersion()).major
            func file(_ name: String) -> String { "\(folder)/\(name)-\(version).qcow2" }
            switch work {
            case .resize:
                _ = try await guest.raw("block_resize", ["device": "virtio0", "size": .integer(96 << 20)])
            case .saveVM:
                let said = try await guest.ask(HumanMonitorCommand("savevm on-\(version)"))
                #expect(said.filter { !$0.isWhitespace } == "", "\(said)")
            case .snapshot:
                try await snapshot(guest, file("overlay"))
            case .mirror:
                _ = try await guest.raw(
                    "drive-mirror",
                    ["device": "virtio0", "target": .string(file("mirror")), "sync": "full", "format": "qcow2"])
                try await guest.waitForJob { $0.first?["ready"]?.bool == true }
                _ = try await guest.raw("block-job-cancel", ["device": "virtio0"])
                try await guest.waitForJob(\.isEmpty)
            case .commit:
                try await snapshot(guest, file("committed"))
                _ = try await guest.raw("block-commit", ["device": "virtio0"])
                try await guest.waitForJob { $0.first?["ready"]?.bool == true }
                _ = try await guest.raw("block-job-complete", ["device": "virtio0"])
                try await guest.waitForJob(\.isEmpty)
            }
        }

        private func snapshot(_ guest: LiveGuest, _ path: String) async throws {
            _ = try await guest.raw("blockdev-snapshot-sync", ["device": "virtio0", "snapshot-file": .string(path)])
        }

        private func refresh(_ guest: LiveGuest, to target: String) async throws {
            let report = try await guest.refresh(to: target)
            #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
            #expect(report.warnings == [], "\(report.warnings)")
        }

        private func withGuest(_ body: (LiveGuest) async throws -> Void) async throws {
            var options = CanaryGuest.Options()
            options.disks = [.init(mebibytes: 64, format: .qcow2)]
            try await LiveGuest.run("guests-after", options: options, body)
        }
    }
}

extension LiveGuest {
    /// Waits until the guest's block jobs meet the condition.
    fileprivate func waitForJob(_ isAsWanted: ([JSONValue]) -> Bool) async throws {
        for _ in 0..<300 {
            let jobs = try await raw("query-block-jobs").array ?? []
            if isAsWanted(jobs) { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("the block job does not end: \(try await raw("query-block-jobs"))")
    }
}
