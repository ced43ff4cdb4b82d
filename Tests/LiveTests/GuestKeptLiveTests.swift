import CanaryTesting
import Glibc
import Guests
import HyperFresh
import JSON
import Linux
import QMP
import Testing

extension Live {
    /// Parts of a guest that a refresh must preserve, or refuse to touch: memory, device states, identities, names.
    @Suite(.enabled(if: Live.isReady, Live.howToGetReady))
    struct GuestKeptLiveTests {
        // MARK: - Devices without a saved state

        private static let unsaved = [
            [
                "-object", "memory-backend-file,id=pm0,size=16M,mem-path=@.pm,share=on", "-device",
                "virtio-pmem-pci,memdev=pm0",
            ],
            [
                "-device", "sdhci-pci,id=sd", "-drive", "if=none,id=sdd,file=null-co://,size=64M,format=raw", "-device",
                "sd-card,drive=sdd",
            ],
            [
                "-object", "memory-backend-file,id=er0,size=64K,mem-path=@.pm,share=on", "-device",
                "acpi-erst,memdev=er0",
            ],
        ]

        @Test(arguments: unsaved) func aDeviceThatQEMUDoesNotSaveIsRefused(_ arguments: [String]) async throws {
            try await withGuest(arguments, maximum: true) { guest in
                for target in Live.targets {
                    let report = try await guest.refresh(to: target)
                    #expect(report.outcome == .blocked)
                    #expect(report.verdict(on: .deviceStateNotSaved) == .fail, "\(report.findings)")
                }
                _ = try await guest.canary.proveAlive()
            }
        }

        // MARK: - Memory that QEMU changes when it starts

        private static let virtioMemory = [
            "-object", "memory-backend-file,id=vm0,size=64M,mem-path=@.pm,share=on", "-device",
            "virtio-mem-pci,id=vmem,memdev=vm0,requested-size=16M",
        ]

        @Test func memoryThatAStartEmptiesIsNotTouched() async throws {
            try await withGuest(Self.virtioMemory, maximum: true) { guest in
                let content = try Self.pattern(guest, at: 1 << 20)
                for isRehearsal in [true, false] {
                    let report = try await guest.refresh { $0.isRehearsal = isRehearsal }
                    #expect(report.outcome == .blocked)
                    #expect(report.verdict(on: .startChangesMemory) == .fail, "\(report.findings)")
                    #expect(try Self.read(guest, at: 1 << 20) == content)
                }
                _ = try await guest.canary.proveAlive()
            }
        }

        @Test(.enabled(if: Live.hasSecondQEMU, Live.howToGetReady))
        func memoryThatAStartLeavesGoesAlong() async throws {
            try await withGuest(Self.virtioMemory, maximum: true, binary: Live.qemu10) { guest in
                let content = try Self.pattern(guest, at: 1 << 20)
                for _ in 1...2 {
                    let report = try await guest.refresh(to: Live.qemu10)
                    #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                    #expect(try Self.read(guest, at: 1 << 20) == content)
                    _ = try await guest.canary.proveAlive()
                }
            }
        }

        @Test func aLoaderThatWritesIsRefusedAndOneThatDoesNotIsNot() async throws {
            for (value, verdict) in [
                ("addr=0x7000000,data=0x1,data-len=8", FindingSeverity.fail),
                ("file=/etc/passwd,addr=0xf000000,force-raw=on", .pass),
            ] {
                try await withGuest(["-device", "loader,\(value)"]) { guest in
                    let report = try await guest.refresh { $0.isRehearsal = true }
                    #expect(report.verdict(on: .startChangesMemory) == verdict, "\(report.findings)")
                    #expect(report.outcome == (verdict == .fail ? .blocked : .rehearsed))
                    _ = try await guest.canary.proveAlive()
                }
            }
        }

        // MARK: - Values that QEMU generates when it starts

        @Test func theGenerationIdStays() async throws {
            try await withGuest(["-device", "vmgenid,guid=auto"]) { guest in
                let before = try await guest.raw("query-vm-generation-id")["guid"]
                #expect(before?.string?.isEmpty == false)
                for target in Live.targets + [Live.qemu7] {
                    let report = try await guest.refresh(to: target)
                    #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                    #expect(try await guest.raw("query-vm-generation-id")["guid"] == before)
                }
                try await guest.expectSoundOnOneSide()
            }
        }

        @Test func addressesThatWereCountedStay() async throws {
            let cards = (0...2).flatMap { number in
                [
                    "-netdev", "user,id=n\(number)", "-device", "pcie-root-port,id=port\(number),chassis=\(number + 1)",
                    "-device", "virtio-net-pci,id=card\(number),netdev=n\(number),bus=port\(number)",
                ]
            }
            try await withGuest(cards) { guest in
                func address(_ number: Int) async throws -> JSONValue? {
                    try await guest.ask(QOMGet(path: "/machine/peripheral/card\(number)", property: "mac"))
                }
                let before = try await [address(1), address(2)]
                // Without the first card, the numbers of the others would start one lower.
                try await guest.unplug("card0")
                for _ in 1...2 {
                    let report = try await guest.refresh()
                    #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                    #expect(try await [address(1), address(2)] == before)
                }
                _ = try await guest.canary.proveAlive()
            }
        }

        @Test func whatAManagerHasSetStays() async throws {
            try await withGuest([]) { guest in
                try await guest.ask(MigrateSetCapabilities(["events": true]))
                try await guest.ask(MigrateSetParameters(maximumBandwidth: 123_456_789, downtimeLimit: 321))
                let report = try await guest.refresh()
                #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                let capabilities = try await guest.ask(QueryMigrateCapabilities())
                #expect(capabilities["events"] == true && capabilities["x-ignore-shared"] == false)
                let parameters = try await guest.ask(QueryMigrateParameters())
                #expect(parameters.maximumBandwidth == 123_456_789 && parameters.downtimeLimit == 321)
            }
        }

        // MARK: - Names

        @Test func aDiskThatIsAnotherFileNowIsRefused() async throws {
            try await LiveGuest.run("guests-names", options: .withDisk) { guest in
                let disk = guest.canary.files.disk(0, .raw)
                let away = "\(guest.tools)/away"
                let before = guest.processes
                for makeOther in [Self.copy, Self.nothing] {
                    try #require(rename(disk, away) == 0)
                    try await makeOther(away, disk)
                    for isRehearsal in [true, false] {
                        let report = try await guest.refresh { $0.isRehearsal = isRehearsal }
                        #expect(report.outcome == .blocked)
                        let finding = report.findings.first { $0.id == .nameLeadsElsewhere && $0.severity == .fail }
                        #expect(finding?.evidence.contains { $0.contains(disk) } == true, "\(report.findings)")
                        #expect(guest.processes == before)
                    }
                    unlink(disk)
                    try #require(rename(away, disk) == 0)
                }
                // A link to the same file is the same file.
                try #require(rename(disk, away) == 0)
                try #require(symlink(away, disk) == 0)
                let report = try await guest.refresh()
                #expect(report.outcome == .refreshed, "\(report.failure.map(\.description) ?? "")")
                try await guest.expectRunsOnOneSide()
            }
        }

        @Test func aDiskThatIsReplacedDuringARefreshIsNotTaken() async throws {
            try await LiveGuest.run("guests-names-late", options: .withDisk) { guest in
                let disk = guest.canary.files.disk(0, .raw)
                let away = "\(guest.tools)/away"
                let old = try #require(guest.canary.pid)
                let controller = try guest.startRefresh(fault: "stop-before-action:launchNew")
                try await controller.waitUntilStopped()
                try #require(rename(disk, away) == 0)
                try await Self.copy(away, disk)
                controller.signal(SIGCONT)
                let report = try await controller.result().report
                #expect(report["outcome"] == "rolled-back", "\(report)")
                #expect("\(report["error"] ?? .null)".contains(disk), "\(report)")
                unlink(disk)
                try #require(rename(away, disk) == 0)
                try await guest.expectSoundOnOneSide(pid: old)
            }
        }

        @Test func aSocketThatIsSomebodyElsesNowIsLeft() async throws {
            let arguments = [
                "-chardev", "socket,id=c0,path=@.sock,server=on,wait=off", "-device", "isa-serial,chardev=c0",
            ]
            try await withGuest(arguments) { guest in
                let path = "\(guest.canary.files.directory)/extra.sock"
                unlink(path)
                let other = try UnixListener(path: path)
                let report = try await guest.refresh()
                #expect(report.outcome == .blocked)
                #expect(report.verdict(on: .nameLeadsElsewhere) == .fail, "\(report.findings)")
                _ = try UnixStream.connect(path: path)
                other.shutdown()
                _ = try await guest.canary.proveAlive()
            }
        }

        // MARK: - Guests

        /// Starts a canary with further arguments, in which `@` stands for a new path.
        private func withGuest(
            _ arguments: [String], maximum: Bool = false, binary: String = Live.qemu7,
            _ body: (LiveGuest) async throws -> Void
        ) async throws {
            let guest = try await LiveGuest.boot("guests-kept") { files in
                var options = CanaryGuest.Options()
                options.binary = binary
                options.arguments = arguments.map {
                    $0.replacing("@.pm", with: "\(files.memory)-extra")
                        .replacing("@.sock", with: "\(files.directory)/extra.sock")
                }
                if maximum { options.arguments += ["-m", "256M,slots=2,maxmem=1G"] }
                return options
            }
            let extra = "\(guest.canary.files.memory)-extra"
            defer {
                guest.canary.end()
                unlink(extra)
            }
            try await body(guest)
        }

        private static func pattern(_ guest: LiveGuest, at offset: Int) throws -> [UInt8] {
            let bytes = [UInt8](repeating: 0x5A, count: 8192)
            let file = try Descriptor.open("\(guest.canary.files.memory)-extra", flags: O_RDWR)
            try #require(pwrite(file.number, bytes, bytes.count, offset) == bytes.count)
            return bytes
        }

        private static func read(_ guest: LiveGuest, at offset: Int) throws -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: 8192)
            let file = try Descriptor.open("\(guest.canary.files.memory)-extra", flags: O_RDONLY)
            try #require(pread(file.number, &bytes, bytes.count, offset) == bytes.count)
            return bytes
        }

        private static func copy(_ from: String, _ to: String) async throws {
            let result = try await ChildProgram.run("cp", [from, to])
            try #require(result.ending == .exited(0), "\(result)")
        }

        private static func nothing(_ from: String, _ to: String) async throws {}
    }
}

extension Live {
    /// The QEMU binaries to refresh to.
    static var targets: [String] { [qemu7] + (hasSecondQEMU ? [qemu10] : []) }
}

extension HandoffReport {
    /// Returns the most severe finding of one check.
    func verdict(on id: FindingID) -> FindingSeverity? {
        findings.filter { $0.id == id }.map(\.severity).max()
    }
}

extension LiveGuest {
    /// Sends a command to the QEMU at the guest's lasting socket, and returns the reply as JSON.
    func raw(_ command: String, _ arguments: [String: JSONValue] = [:]) async throws -> JSONValue {
        let client = try await QMPClient.connect(path: canary.files.qmp)
        defer { client.close() }
        return try await client.executeRaw(command, arguments: arguments, deadline: .seconds(20))
    }

    /// Unplugs a device, with the cooperation of the guest's kernel.
    func unplug(_ id: String) async throws {
        _ = try await raw("device_del", ["id": .string(id)])
        for _ in 0..<200 {
            let names = try await ask(QOMList(path: "/machine/peripheral")).map(\.name)
            if !names.contains(id) { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        Issue.record("\(id) was not unplugged")
    }
}
