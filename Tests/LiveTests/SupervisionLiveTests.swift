import CanaryTesting
import Glibc
import Guests
import HyperFresh
import Linux
import Testing

extension Live {
    /// Guests whose QEMU is supervised, as in containers, by supervisors and by scripts.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct SupervisionLiveTests {
        /// A launcher of QEMU, and the finding that must refuse it.
        struct Refused: Sendable, CustomTestStringConvertible {
            let launcher: String
            let finding: FindingID
            var program: String?
            /// Whether it is similar to another one, and tried only in a whole run.
            var isVariant = false
            var testDescription: String { launcher }
        }

        private static let space = "exec unshare --pid --fork --mount-proc"

        private static let qemu = "\(Live.qemu7) \"$@\""

        private static let refused = [
            Refused(launcher: "\(space) \(qemu)", finding: .pidNamespaceEnds),
            Refused(
                launcher: "\(space) sh -c '\(qemu); exit $?' sh \"$@\"", finding: .pidNamespaceEnds, isVariant: true),
            Refused(launcher: "\(space) sh -c '\(qemu) & wait' sh \"$@\"", finding: .pidNamespaceEnds),
            Refused(launcher: "\(space) timeout 1000 \(qemu)", finding: .pidNamespaceEnds, isVariant: true),
            Refused(launcher: "\(space) tini -- \(qemu)", finding: .pidNamespaceEnds, program: "tini"),
            Refused(
                launcher: "\(space) dumb-init \(qemu)", finding: .pidNamespaceEnds, program: "dumb-init",
                isVariant: true),
            Refused(
                launcher: "\(space) tini -- sh -c '\(qemu); :' sh \"$@\"", finding: .pidNamespaceEnds, program: "tini",
                isVariant: true),
            Refused(launcher: "while :; do \(qemu); sleep 1; done", finding: .supervisorRestarts),
            Refused(
                launcher: "Q=\(Live.qemu7); while :; do $Q \"$@\"; sleep 1; done", finding: .supervisorRestarts,
                isVariant: true),
            Refused(launcher: "sh -c 'while :; do \"$@\"; done' sh \(qemu); :", finding: .supervisorRestarts),
            Refused(
                launcher: """
                    d=$(dirname "$0")/service; mkdir -p $d
                    { echo '#!/bin/sh'; printf 'exec \(Live.qemu7)'; printf " '%s'" "$@"; } > $d/run
                    chmod +x $d/run; exec runsv $d
                    """, finding: .supervisorRestarts, program: "runsv"),
        ]

        private static func hasProgram(_ name: String) -> Bool {
            ["/usr/bin", "/usr/local/bin"].contains { access("\($0)/\(name)", X_OK) == 0 }
        }

        @Test(
            .enabled(if: geteuid() == 0, "needs root, to make namespaces"),
            arguments: refused.filter { $0.program.map(hasProgram) ?? true }.filter { Live.isWhole || !$0.isVariant })
        func aGuestThatWouldEndOrStartTwiceIsRefused(_ refused: Refused) async throws {
            try await withLauncher(refused.launcher) { guest in
                let before = guest.processes
                let report = try await guest.refresh()
                #expect(report.outcome == .blocked)
                let finding = report.findings.first { $0.severity == .fail }
                #expect(finding?.id == refused.finding, "\(report.findings.filter { $0.severity == .fail })")
                #expect(finding?.message.contains("first process") == true || finding?.message.contains("pid ") == true)
                #expect(guest.processes == before)
                _ = try await guest.canary.proveAlive()
            }
        }

        /// Launchers for which QEMU's end has no consequence worse than a message.
        private static let accepted = [
            "\(qemu); echo ended",
            "sh -c '\(qemu); exit $?' sh \"$@\"",
            "exec timeout 1000 \(qemu)",
            "exec setsid --wait nohup \(qemu)",
            "for word in a b; do :; done; until true; do sleep 1; done; \(qemu) &\nwait",
            "\(space) sh -c '\(qemu) -daemonize; exec sleep 1000' sh \"$@\"",
        ]

        @Test(.enabled(if: geteuid() == 0, "needs root, to make namespaces"), arguments: accepted)
        func aGuestThatSomebodyOnlyWaitsForIsRefreshedTwice(launcher: String) async throws {
            try await withLauncher(launcher) { guest in
                for _ in 1...2 {
                    let report = try await guest.refresh()
                    #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                    #expect(guest.processes == [report.new?.pid].compactMap(\.self))
                    _ = try await guest.canary.proveAlive()
                }
            }
        }

        @Test func aLoopThatIsEndedAsAdvisedLetsTheGuestGo() async throws {
            try await withLauncher("while :; do \(Self.qemu); sleep 1; done") { guest in
                let blocked = try await guest.refresh()
                let remedy = try #require(blocked.findings.first { $0.id == .supervisorRestarts }?.remedy)
                // The command as typed, without the explanation after it.
                let words = remedy.split(separator: " ").prefix(3).map(String.init)
                #expect(words.prefix(2) == ["kill", "-9"])
                let result = try await ChildProgram.run("/bin/kill", Array(words.dropFirst()))
                #expect(result.ending == .exited(0), "\(result)")
                let report = try await guest.refresh()
                #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                try await guest.expectRunsOnOneSide(pid: report.new?.pid)
            }
        }

        /// Starts a guest's QEMU with a shell script, which gets the command line as `"$@"`.
        private func withLauncher(_ text: String, _ body: (LiveGuest) async throws -> Void) async throws {
            let guest = try await LiveGuest.boot("guests-launcher") { files in
                let launcher = "\(files.directory)/launch"
                let script = "#!/bin/sh\nPATH=$PATH:/usr/local/bin\n\(text)\n"
                try Files.replaceAtomically(launcher, bytes: Array(script.utf8), mode: 0o755)
                var options = CanaryGuest.Options()
                options.binary = launcher
                return options
            }
            let group = guest.canary.firstProcess.pid
            defer {
                // The launcher first, so that it restarts nothing.
                kill(-group, SIGKILL)
                kill(group, SIGKILL)
                guest.canary.end()
            }
            try await body(guest)
        }
    }
}
