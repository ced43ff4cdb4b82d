import CanaryTesting
import Glibc
import JSON
import Linux
import Testing

extension Live {
    /// Relocates containers between two OS VMs with different kernels, all emulated if the host cannot nest.
    @Suite(.enabled(if: Live.hasBundles, Live.howToGetBundles))
    struct ContainersLiveTests {
        /// Relocates a server whose client never stops writing, together with a process tree that checks itself.
        ///
        /// The second time, the controller dies once only the new side may run.
        @Test func aServerAndACanaryMoveToAnotherKernelAndBack() async throws {
            try await run("containers") { stack, client, canary, beats in
                try await rehearse(stack, canary, beats)
                try await relocate("redis", to: "delta", stack)
                try await expectWriting(client)
                try await controllerDies(stack)
                try await expectWriting(client)
                try await refresh(stack, client, canary, beats)
            }
        }

        @Test(.enabled(if: Live.isWhole, "is part of scripts/test --matrix"))
        func aServerMovesFiveTimesAndTheCanaryBesideIt() async throws {
            try await run("five") { stack, client, canary, beats in
                for round in 0..<5 {
                    try await relocate("redis", to: ContainerStack.systems[(round + 1) % 2], stack)
                    try await expectWriting(client)
                    guard round < 3 else { continue }
                    let before = try await stack.proveAlive(canary)
                    try await relocate(canary.name, to: ContainerStack.systems[(round + 1) % 2], stack)
                    try await expectSame(canary, as: before, stack)
                    #expect(beats.soFar.end == nil)
                }
            }
        }

        /// Starts both, keeps both in use throughout, and checks at the end that nothing was lost.
        private func run(
            _ name: String,
            _ body: (ContainerStack, RedisSession, ContainerStack.Container, BeatSession) async throws -> Void
        ) async throws {
            let redis = try ContainerStack.redis()
            let canary = try ContainerStack.canary("processes=3", "dirty=2M")
            try await ContainerStack.run(name, containers: [redis, canary]) { stack in
                try await stack.proveAlive(canary)
                let client = try RedisSession(to: redis.address)
                let beats = try BeatSession(to: canary.address, every: 20)
                defer {
                    client.stop()
                    beats.stop()
                }
                try await body(stack, client, canary, beats)
                client.stop()
                try await expectAllWritten(client, redis, stack)
            }
        }

        /// The controller dies after the commit, and `recover` resumes the container on the new side.
        private func controllerDies(_ stack: ContainerStack) async throws {
            let relocation = try stack.startRelocation(
                of: "redis", to: "gamma", fault: "kill-after-record:committed")
            #expect(try await relocation.result(within: .seconds(240)).ending == .killed(by: SIGKILL))
            for _ in 0..<2 {
                let recovery = try await stack.command("recover", within: .seconds(120))
                #expect(recovery.ending == .exited(0), "\(recovery)")
            }
            #expect(try await stack.whereabouts("redis") == .init("gamma", "running"))
            try await stack.expectOnce("redis")
        }

        /// A dry run copies memory and proves the store, and freezes no process.
        private func rehearse(
            _ stack: ContainerStack, _ canary: ContainerStack.Container, _ beats: BeatSession
        ) async throws {
            let report = try await stack.relocate(canary.name, to: "delta", "--dry-run")
            #expect(report["outcome"] == "rehearsed", "\(report)")
            #expect(report["handover"]?["steps"] == nil, "\(report)")
            let phases = (report["handover"]?["phases"]?.array ?? []).compactMap { $0["name"]?.string }
            #expect(!phases.contains("handover"), "\(report)")
            #expect(try await stack.whereabouts(canary.name) == .init("gamma", "running"))
            try await stack.expectOnce(canary.name)
            try await stack.proveAlive(canary)
            #expect(beats.soFar.end == nil)
        }

        private func relocate(_ container: String, to system: String, _ stack: ContainerStack) async throws {
            let report = try await stack.relocate(container, to: system)
            try #require(report["outcome"] == "refreshed", "\(report)")
            #expect((report["handover"]?["switch_ms"]?.double ?? 0) > 0, "\(report)")
            #expect(report["handover"]?["copied_bytes"]?.array?.isEmpty == false, "\(report)")
            #expect(try await stack.whereabouts(container) == .init(system, "running"))
            try await stack.expectOnce(container)
        }

        private func expectWriting(_ client: RedisSession) async throws {
            let before = client.soFar
            try #require(before.end == nil)
            for _ in 0..<300 where client.soFar.acknowledged < before.acknowledged + 20 {
                try await Task.sleep(for: .milliseconds(100))
            }
            #expect(client.soFar.end == nil)
            #expect(client.soFar.acknowledged >= before.acknowledged + 20)
        }

        /// Its counters have continued: it is the same container, not a restarted one.
        private func expectSame(
            _ canary: ContainerStack.Container, as before: ContainerReport, _ stack: ContainerStack
        ) async throws {
            let now = try await stack.proveAlive(canary)
            #expect(now.answers > before.answers)
            #expect(now.sequence > before.sequence)
            #expect(now.goesOn(since: before))
            #expect(now.processes == 3)
        }

        /// Refreshes an OS VM beneath all of its containers.
        private func refresh(
            _ stack: ContainerStack, _ client: RedisSession, _ canary: ContainerStack.Container, _ beats: BeatSession
        ) async throws {
            let system = try await stack.whereabouts(canary.name).system
            let old = try #require(try await stack.instances(of: system).first)
            let words = ["refresh", "os", system, "--image", Live.image("fresh"), "--json"]
            let report = try await stack.start(words).result(within: .seconds(400)).report
            try #require(report["outcome"] == "refreshed", "\(report)")
            #expect(try await stack.instances(of: system).map(\.pid).contains(old.pid) == false)
            #expect(!stack.processes.contains(old.pid))
            #expect(try await stack.whereabouts(canary.name) == .init(system, "running"))
            try await stack.expectOnce(canary.name)
            try await stack.proveAlive(canary)
            #expect(beats.soFar.end == nil)
            try await expectWriting(client)
        }

        /// Every acknowledged write is present, and the log contains them in order.
        private func expectAllWritten(
            _ client: RedisSession, _ redis: ContainerStack.Container, _ stack: ContainerStack
        ) async throws {
            try await Task.sleep(for: .seconds(1))
            let count = client.soFar.acknowledged
            try #require(count > 100)
            #expect(try RedisSession.firstWrong(1...count, at: redis.address) == nil)
            let logged = try RedisSession.logged(in: stack.bundle(of: redis.name))
            #expect(logged.count >= count)
            #expect(logged == Array(1...max(1, logged.count)))
        }

        /// Tests the canary itself: it detects corruption.
        @Test func theCanaryNoticesWhatIsSpoilt() async throws {
            let canary = try ContainerStack.canary()
            let folder = try CanaryFiles(name: "spoilt")
            defer { rmdir(folder.directory) }
            let program = try ChildProgram(
                "\(canary.bundle)/rootfs/bin/canary",
                ["memory=4M", "processes=2", "log=\(folder.directory)/log", "tmp=\(folder.directory)"])
            defer { program.signal(SIGKILL) }
            var found: ContainerReport?
            for _ in 0..<100 where found?.records ?? 0 < 3 {
                try await Task.sleep(for: .milliseconds(100))
                found = ContainerCanary.report(from: "127.0.0.1")
            }
            #expect(found?.anomalies == 0)
            ContainerCanary.spoil("127.0.0.1")
            for _ in 0..<100 where found?.anomalies == 0 {
                try await Task.sleep(for: .milliseconds(100))
                found = ContainerCanary.report(from: "127.0.0.1")
            }
            #expect(found?.anomaly.contains("page") == true)
            _ = try await ChildProgram.run("rm", ["-rf", folder.directory])
        }
    }
}
