import CanaryTesting
import Glibc
import JSON
import Linux
import QMP
import Testing

extension Live {
    /// A fresh hypervisor beneath running guests, with Debian's kernels and QEMUs, all emulated where the host cannot nest.
    @Suite(.enabled(if: Live.hasHypervisorImages, Live.howToGetImages))
    struct NestedLiveTests {
        private static let canBridge = geteuid() == 0 && Files.exists("/dev/net/tun")

        /// All in one stack: to boot a hypervisor takes longer than what is looked at.
        @Test(.enabled(if: canBridge, "needs root and /dev/net/tun for a bridge"))
        func guestsMoveToAnotherKernelAndQEMUAndBack() async throws {
            let guests: [NestedStack.Guest] = [
                .init(name: "disk", hasDisk: true), .init(name: "net", pace: "1000", address: "10.231.80.2/29"),
            ]
            try await NestedStack.run("nested", guests: guests, bridge: ("hfcanarybr", "10.231.80.1/29")) { stack in
                for guest in guests { try await stack.proveAlive(guest.name) }
                let witness = try Witness(stack)
                defer { witness.echo.stop() }
                try await moveThoughTheControllerDies(stack, witness)
                if Live.isWhole { try await moveBack(stack, witness) }
                witness.echo.stop()
                let lost = try await loseOneWithTheNewHypervisor(stack)
                try await startAgainAndRemove(lost, stack)
            }
        }

        /// What shows that a guest's network was not interrupted: a TCP session, and the address of the bridge.
        private struct Witness {
            let echo: EchoSession
            let bridge: String

            init(_ stack: NestedStack) throws {
                echo = try EchoSession(to: "10.231.80.2")
                bridge = try #require(stack.bridgeAddress)
            }
        }

        /// The controller is killed when one guest has moved: `recover` settles both, and another run moves the other.
        private func moveThoughTheControllerDies(_ stack: NestedStack, _ witness: Witness) async throws {
            let old = try #require(try await stack.look()["instances"]?.array?.first)
            let before = try #require(stack.processes.first)
            let toFresh = ["--image", Live.image("fresh")]
            let refresh = try stack.startRefresh(toFresh, fault: "kill-after-record:retired")
            #expect(try await refresh.result(within: .seconds(300)).ending == .killed(by: SIGKILL))
            for _ in 0..<2 {
                let recovery = try await stack.command("recover", within: .seconds(120))
                #expect(recovery.ending == .exited(0), "\(recovery)")
            }
            #expect(stack.processes.count == 2)
            for guest in stack.guests { try await stack.proveAlive(guest.name) }
            let moved = try await refreshAndLook(stack, toFresh, witness)
            #expect(moved.count == 1)
            #expect(!stack.processes.contains(before))
            let new = try #require(try await stack.look()["instances"]?.array)
            try #require(new.count == 1)
            #expect(new[0]["id"] != old["id"])
            #expect(new[0]["kernel"] != old["kernel"])
            #expect(new[0]["qemu"] != old["qemu"])
        }

        /// Back to the first kernel and QEMU, all guests at the same time; a part of scripts/test --matrix.
        private func moveBack(_ stack: NestedStack, _ witness: Witness) async throws {
            let before = stack.processes
            let moved = try await refreshAndLook(
                stack, ["--image", Live.image("standard"), "--parallel", "2"], witness)
            #expect(moved.count == 2)
            // The old hypervisor is gone, and its memory with it.
            #expect(stack.processes.count == 1 && stack.processes != before)
        }

        /// - Returns: What is reported of the guests that moved.
        private func refreshAndLook(
            _ stack: NestedStack, _ options: [String], _ witness: Witness
        ) async throws -> [JSONValue] {
            let records = stack.report("disk")?.recordsVerified ?? 0
            let lines = witness.echo.soFar.lines
            let report = try await stack.refresh(options)
            try #require(report["outcome"] == "refreshed", "\(report)")
            let moved = report["guests"]?.array ?? []
            #expect(moved.allSatisfy { ($0["switch_ms"]?.double ?? 0) > 0 }, "\(report)")
            for guest in stack.guests { try await stack.proveAlive(guest.name) }
            #expect((stack.report("disk")?.recordsVerified ?? 0) > records)
            try await Task.sleep(for: .seconds(2))
            #expect(witness.echo.soFar.end == nil)
            #expect(witness.echo.soFar.lines > lines)
            // It is in the guest's ARP table: with another one, answers would go nowhere.
            #expect(stack.bridgeAddress == witness.bridge)
            return moved
        }

        /// The channels of a refresh are closed in the hypervisor that stays.
        private func expectNoLinks(_ stack: NestedStack) async throws {
            let instance = try #require(try await stack.instances().first)
            let monitor = try await QMPClient.connect(
                path: "\(stack.state)/hypervisors/\(NestedStack.hypervisor)/\(instance.id)/qmp.sock")
            defer { monitor.close() }
            let labels = try await monitor.executeRaw("query-chardev").array?.compactMap { $0["label"]?.string }
            #expect(try #require(labels).allSatisfy { !$0.hasPrefix("link-") })
        }

        /// The new hypervisor is killed when one guest is its own: that one is honestly lost, the other never left.
        ///
        /// - Returns: The lost one.
        private func loseOneWithTheNewHypervisor(_ stack: NestedStack) async throws -> String {
            let before = stack.processes
            let report = try await stack.refresh(killingNewAt: "after-record:switching:2")
            let outcomes = (report["guests"]?.array ?? []).compactMap { $0["outcome"]?.string }
            #expect(outcomes.filter { $0 == "rolled-back" }.count == 1, "\(report)")
            #expect(stack.processes == before)
            let looked = try #require(try await stack.look()["guests"]?.array)
            let running = looked.filter { $0["state"] == "running" }.compactMap { $0["name"]?.string }
            try #require(running.count == 1)
            try await stack.proveAlive(running[0])
            for guest in stack.guests where guest.name != running[0] { #expect(try await stack.isSilent(guest.name)) }
            let again = try await stack.refresh()
            #expect(again["outcome"] == "refreshed", "\(again)")
            // The old hypervisor is gone, and its memory with it.
            #expect(stack.processes.count == 1 && stack.processes != before)
            try await expectNoLinks(stack)
            try await stack.proveAlive(running[0])
            return try #require(stack.guests.map(\.name).first { $0 != running[0] })
        }

        /// `up` starts a guest again that has ended, and removes one that the file has no more, if that is said.
        private func startAgainAndRemove(_ guest: String, _ stack: NestedStack) async throws {
            let last = stack.report(guest)
            try await stack.up()
            try await stack.proveStartedAgain(guest, since: last)
            let rest = stack.guests.map(\.name).filter { $0 != guest }
            try stack.write(only: rest)
            let refused = try await stack.command("up", stack.file)
            #expect(refused.ending == .exited(3), "\(refused)")
            try await stack.up("--remove-orphans", "--grace", "1s")
            let there = try #require(try await stack.look()["guests"]?.array)
            #expect(there.compactMap { $0["name"]?.string } == rest)
            for name in rest { try await stack.proveAlive(name) }
            // Its memory cannot be unplugged: until the hypervisor is a fresh one its name is taken.
            try stack.write()
            let taken = try await stack.command("up", stack.file)
            #expect(taken.ending == .exited(3), "\(taken)")
            for name in rest { try await stack.proveAlive(name) }
        }
    }
}
