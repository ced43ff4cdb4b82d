import CanaryTesting
import Glibc
import JSON
import Linux
import StackFile
import Testing
import VirtualMachines

extension Live {
    /// Wrong bundles, wrong names, interruptions: each yields a clear error and the right exit status, and the
    /// container keeps running.
    @Suite(.enabled(if: Live.hasBundles, Live.howToGetBundles))
    struct ContainersBadInputLiveTests {
        @Test(.enabled(if: Live.isWhole, "is part of scripts/test --matrix"))
        func whatCannotBeIsRefusedAndNobodyNotices() async throws {
            let canary = try ContainerStack.canary()
            try await ContainerStack.run("wrong", containers: [canary]) { stack in
                try await stack.proveAlive(canary)
                let beats = try BeatSession(to: canary.address, every: 50)
                defer { beats.stop() }
                try await refuseNames(stack, canary)
                for wrong in WrongBundle.allCases { try await refuse(wrong, stack, canary) }
                for wrong in WrongConfig.allCases { try await refuse(wrong, stack, canary) }
                for broken in BrokenCRIU.all { try await refuse(broken, stack, canary) }
                for phase in ["link", "handover"] { try await interrupt(at: phase, stack, canary) }
                #expect(beats.soFar.end == nil)
                try await refuseEnded(stack, canary)
            }
        }

        private func expectUntouched(
            _ stack: ContainerStack, _ canary: ContainerStack.Container, _ what: some Sendable
        ) async throws {
            #expect(try await stack.whereabouts(canary.name) == .init("gamma", "running"), "\(what)")
            try await stack.expectOnce(canary.name)
            try await stack.proveAlive(canary)
        }

        // MARK: - Names

        private func refuseNames(_ stack: ContainerStack, _ canary: ContainerStack.Container) async throws {
            for (container, system, exit, says) in [
                (canary.name, "omega", 64, "omega"), ("nobody", "delta", 64, "nobody"),
                (canary.name, "gamma", 3, "already"),
            ] {
                let report = try await stack.relocate(container, to: system)
                #expect(report["exit_code"]?.int == exit, "\(report)")
                #expect(report["error"]?["message"]?.string?.contains(says) == true, "\(report)")
                #expect(report["error"]?["remedy"]?.string?.isEmpty == false, "\(report)")
            }
            try await expectUntouched(stack, canary, "names")
        }

        // MARK: - Bundles

        /// Containers that cannot be started, to be added to running ones.
        enum WrongBundle: String, CaseIterable {
            case missing, broken, empty

            func make(in folder: String) throws {
                guard self != .missing else { return }
                try Files.createDirectory(folder)
                try Files.createDirectory("\(folder)/rootfs")
                let config = self == .broken ? "{\"ociVersion\": " : "{\"ociVersion\": \"1.0.2\"}"
                try Files.replaceAtomically("\(folder)/config.json", bytes: Array(config.utf8))
            }
        }

        private func refuse(
            _ wrong: WrongBundle, _ stack: ContainerStack, _ canary: ContainerStack.Container
        ) async throws {
            let other = ContainerStack.Container(name: "\(wrong)", bundle: "", address: "10.231.81.7")
            try wrong.make(in: stack.bundle(of: other.name))
            try stack.write([canary, other])
            let result = try await stack.command("up", stack.file, "--json", within: .seconds(120))
            try stack.write([canary])
            #expect(result.status != 0, "\(wrong): \(result)")
            let words = result.output + result.errors
            #expect(words.contains(wrong.rawValue), "\(wrong): \(result)")
            try await expectUntouched(stack, canary, wrong)
        }

        /// Containers that run but cannot be relocated.
        enum WrongConfig: String, CaseIterable {
            case bindMount, userNamespace, noProcessNamespace, terminal

            func change(_ config: inout [String: JSONValue]) {
                var linux = config["linux"]?.object ?? [:]
                let namespaces = linux["namespaces"]?.array ?? []
                switch self {
                case .bindMount:
                    let mount: JSONValue = [
                        "destination": "/etc", "type": "bind", "source": "/etc", "options": ["rbind", "ro"],
                    ]
                    config["mounts"] = .array((config["mounts"]?.array ?? []) + [mount])
                case .userNamespace: linux["namespaces"] = .array(namespaces + [["type": "user"]])
                case .noProcessNamespace:
                    linux["namespaces"] = .array(namespaces.filter { $0["type"]?.string != "pid" })
                case .terminal:
                    var process = config["process"]?.object ?? [:]
                    process["terminal"] = true
                    config["process"] = .object(process)
                }
                config["linux"] = .object(linux)
            }

            var says: String {
                switch self {
                case .bindMount: "/etc"
                case .userNamespace: "user namespace"
                case .noProcessNamespace: "pid namespace"
                case .terminal: "terminal"
                }
            }
        }

        private func refuse(
            _ wrong: WrongConfig, _ stack: ContainerStack, _ canary: ContainerStack.Container
        ) async throws {
            let before = try stack.changeConfig(of: canary.name) { wrong.change(&$0) }
            let report = try await stack.relocate(canary.name, to: "delta")
            try Files.replaceAtomically("\(stack.bundle(of: canary.name))/config.json", bytes: before)
            #expect(report["exit_code"] == 3, "\(wrong): \(report)")
            let evidence = report["error"]?.encoded() ?? ""
            #expect(evidence.contains("container-config"), "\(wrong): \(report)")
            #expect(evidence.contains(wrong.says), "\(wrong): \(report)")
            try await expectUntouched(stack, canary, wrong)
        }

        // MARK: - CRIU failures

        /// A way in which CRIU fails in an OS VM although the kernel supports everything (`criu check`).
        private struct BrokenCRIU {
            let system: String
            /// The pattern of the command line, for the shell's `case`.
            let call: String
            /// The arguments that are then added.
            let words: String
            /// A part of the expected report.
            let says: String

            static let all = [
                // Fails before the container is frozen.
                BrokenCRIU(
                    system: "delta", call: "restore*", words: "--pidfile /nowhere/pid", says: "cannot try a dump"),
                // Fails during the switch.
                BrokenCRIU(
                    system: "gamma", call: "*--leave-running*", words: "--tree 4194303",
                    says: "cannot dump container"),
                BrokenCRIU(
                    system: "delta", call: "*--inherit-fd*", words: "--root /nowhere",
                    says: "cannot restore container"),
            ]
        }

        private func refuse(
            _ broken: BrokenCRIU, _ stack: ContainerStack, _ canary: ContainerStack.Container
        ) async throws {
            try await stack.withSystems(of: broken.system) { system in
                _ = try await system.agent.run(
                    """
                    printf '%s\\n' '#!/bin/sh' 'case "$*" in '"$1"') set -- "$@" '"$2"' ;; esac' \\
                        'exec /usr/sbin/criu "$@"' >/usr/local/sbin/criu
                    chmod 755 /usr/local/sbin/criu
                    """, [broken.call, broken.words], to: "break its CRIU")
            }
            let report = try await stack.relocate(canary.name, to: "delta")
            #expect(report["outcome"] == "rolled-back", "\(report)")
            #expect(report["error"]?["message"]?.string?.contains(broken.says) == true, "\(report)")
            #expect(report["error"]?["evidence"]?.encoded().contains("Error") == true, "\(report)")
            try await stack.withSystems(of: broken.system) { system in
                _ = try await system.agent.run("rm /usr/local/sbin/criu", to: "mend its CRIU")
            }
            try await expectUntouched(stack, canary, broken.says)
        }

        // MARK: - Interruption

        private func interrupt(
            at phase: String, _ stack: ContainerStack, _ canary: ContainerStack.Container
        ) async throws {
            let relocation = try stack.startRelocation(of: canary.name, to: "delta")
            for _ in 0..<6000 where !relocation.hasEnded {
                let lines = relocation.outputSoFar.split(separator: "\n")
                if lines.contains(where: { $0.contains("\"\(phase)\"") && $0.contains("began") }) { break }
                try await Task.sleep(for: .milliseconds(10))
            }
            relocation.signal(SIGINT)
            let report = try await relocation.result(within: .seconds(120)).report
            #expect(report["outcome"] == "rolled-back", "\(phase): \(report)")
            #expect(report["exit_code"] == 1, "\(phase): \(report)")
            try await expectUntouched(stack, canary, phase)
        }

        // MARK: - A container that has ended

        private func refuseEnded(_ stack: ContainerStack, _ canary: ContainerStack.Container) async throws {
            try await stack.endProcesses(of: canary.name)
            for _ in 0..<100 where try await stack.whereabouts(canary.name).state != "stopped" {
                try await Task.sleep(for: .milliseconds(200))
            }
            let report = try await stack.relocate(canary.name, to: "delta")
            #expect([1, 3].contains(report["exit_code"]?.int), "\(report)")
            #expect(report["error"]?["message"]?.string?.contains("has ended") == true, "\(report)")
            #expect(try await stack.census(canary.name).allSatisfy { $0.running == 0 && $0.still == 0 })
            try await stack.up()
            try await expectUntouched(stack, canary, "started again")
        }
    }
}
