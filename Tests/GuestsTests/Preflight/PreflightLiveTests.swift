import Glibc
import Guests
import JSON
import Linux
import QMP
import Testing

@Suite("Preflight of a real QEMU", .enabled(if: RealPrograms.isReady, RealPrograms.howToGetReady), .serialized)
struct PreflightLiveTests {
    @Test("A guest that can be refreshed")
    func ready() async throws {
        let folder = try RealFolder()
        let qemu = try RealQEMU(RealQEMU.memory(in: folder) + ["-name", "ready"], in: folder)
        let report = try await qemu.preflight { result in
            #expect(result.plan != nil)
            #expect(result.memoryFile == folder.file("ram"))
            #expect(result.description?.memoryLayout.isEmpty == false)
        }
        #expect(!report.isBlocked)
        #expect(report.findings(.warn) == [])
    }

    @Test("Another version, both ways", .enabled(if: RealPrograms.hasOther, RealPrograms.howToGetReady))
    func otherVersion() async throws {
        let folder = try RealFolder()
        let devices = ["-device", "virtio-net-pci", "-device", "virtio-rng-pci", "-serial", "null", "-vga", "std"]
        let old = try RealQEMU(RealQEMU.memory(in: folder) + devices, in: folder)
        let up = try await old.preflight(to: RealPrograms.otherQEMU) { result in
            #expect(result.targetVersion?.major == 10)
            #expect(result.target?.path.hasSuffix("/usr/bin/qemu-system-x86_64") == true)
            #expect(result.target?.firmwareDirectories.isEmpty == false)
        }
        #expect(!up.isBlocked)
        old.end()
        let new = try RealQEMU(
            RealQEMU.memory(in: folder) + devices, in: folder, binary: RealPrograms.otherQEMU, socket: "qmp2")
        let down = try await new.preflight(to: RealPrograms.qemu)
        #expect(!down.isBlocked)
    }

    // MARK: - Memory

    /// Returns the options of a q35 machine with one backend called ram0.
    private func machine(_ backend: String) -> [String] {
        ["-machine", "pc-q35-7.2,memory-backend=ram0", "-m", "128M", "-object", backend]
    }

    private func memory(
        _ folder: RealFolder, _ arguments: [String], mask: UInt32 = 0o077
    ) async throws -> (report: PreflightReport, glance: [Finding]) {
        let qemu = try RealQEMU(arguments, in: folder, mask: mask)
        return (try await qemu.preflight(), Preflight.glance(at: try await qemu.guest()))
    }

    @Test("Memory that a second QEMU cannot map")
    func memoryOfItsOwn() async throws {
        let folder = try RealFolder()
        let anonymous = try await memory(folder, ["-machine", "q35", "-m", "128M"])
        #expect(anonymous.report.verdict(on: .ramNotShared) == .fail)
        #expect(anonymous.glance.first?.id == .ramNotShared)
        let file = "memory-backend-file,id=ram0,size=128M,mem-path=\(folder.file("ram"))"
        let copy = try await memory(folder, machine(file + ",share=off"))
        #expect(copy.report.verdict(on: .ramNotShared) == .fail)
        #expect(copy.glance.first?.id == .ramNotShared)
        let memfd = try await memory(folder, machine("memory-backend-memfd,id=ram0,size=128M,share=on"))
        #expect(memfd.report.verdict(on: .ramNotShared) == .pass)
        #expect(memfd.report.verdict(on: .ramNotNamedFile) == .fail)
        #expect(memfd.glance.first?.id == .ramNotNamedFile)
        let inFolder = try await memory(
            folder, machine("memory-backend-file,id=ram0,size=128M,mem-path=\(folder.path),share=on"))
        #expect(inFolder.report.verdict(on: .ramNotNamedFile) == .fail)
        #expect(inFolder.glance.first?.id == .ramNotNamedFile)
    }

    @Test("A memory file that was removed or replaced")
    func replacedMemory() async throws {
        let folder = try RealFolder()
        let qemu = try RealQEMU(RealQEMU.memory(in: folder), in: folder)
        #expect(try await qemu.preflight().verdict(on: .ramNotNamedFile) == .pass)
        #expect(rename(folder.file("ram"), folder.file("ram.old")) == 0)
        #expect(try await qemu.preflight().verdict(on: .ramNotNamedFile) == .fail, "moved away")
        #expect(unlink(folder.file("ram.old")) == 0)
        #expect(try await qemu.preflight().verdict(on: .ramNotNamedFile) == .fail, "removed")
        _ = try Descriptor.open(folder.file("ram"), flags: O_WRONLY | O_CREAT)
        #expect(try await qemu.preflight().verdict(on: .ramNotNamedFile) == .fail, "another one in its place")
    }

    @Test("A memory file that others can read or write")
    func openMemory() async throws {
        let folder = try RealFolder()
        #expect(chmod(folder.path, 0o755) == 0)
        let qemu = try RealQEMU(RealQEMU.memory(in: folder), in: folder)
        #expect(chmod(folder.file("ram"), 0o644) == 0)
        #expect(try await qemu.preflight().verdict(on: .ramFileTooOpen) == .warn)
        #expect(chmod(folder.file("ram"), 0o666) == 0)
        #expect(try await qemu.preflight().verdict(on: .ramFileTooOpen) == .fail)
        #expect(chmod(folder.path, 0o700) == 0)
        #expect(try await qemu.preflight().verdict(on: .ramFileTooOpen) == .pass, "nobody else gets there")
    }

    @Test("Backends that touch or discard their data")
    func hazards() async throws {
        let folder = try RealFolder()
        let file = "memory-backend-file,id=ram0,size=128M,mem-path=\(folder.file("ram")),share=on"
        let report = try await memory(folder, machine(file + ",discard-data=on,prealloc=on")).report
        #expect(report.verdict(on: .ramDiscardData) == .warn)
        #expect(report.verdict(on: .ramPrealloc) == .warn)
        #expect(!report.isBlocked)
    }

    // MARK: - Monitor

    @Test("A monitor that another client holds, and a QEMU that hangs")
    func busyMonitor() async throws {
        let folder = try RealFolder()
        let qemu = try RealQEMU(RealQEMU.memory(in: folder), in: folder)
        try await qemu.ask { _ in
            let report = try await qemu.preflight()
            #expect(report.verdict(on: .monitorBusy) == .fail)
            #expect(report.findings.first { $0.id == .monitorBusy }?.remedy?.contains(qemu.qmp) == true)
        }
        try qemu.handle.signal(SIGSTOP)
        #expect(try await qemu.preflight().verdict(on: .monitorBusy) == .fail)
        try qemu.handle.signal(SIGCONT)
        #expect(try await qemu.preflight().verdict(on: .monitorBusy) == .pass)
    }

    @Test("A monitor socket that is gone, or leads to another guest")
    func wrongMonitor() async throws {
        let folder = try RealFolder()
        let qemu = try RealQEMU(RealQEMU.memory(in: folder), in: folder)
        unlink(qemu.qmp)
        #expect(try await qemu.preflight().verdict(on: .monitorMissing) == .fail)
        let other = try RealQEMU(["-machine", "none"], in: folder)
        let report = try await qemu.preflight()
        #expect(report.verdict(on: .monitorMissing) == .fail)
        #expect(
            report.findings.first { $0.id == .monitorMissing }?.evidence.first?.contains("pid \(other.pid)") == true)
    }

    // MARK: - State

    @Test("A guest that is paused, has not started, or has left")
    func states() async throws {
        let folder = try RealFolder()
        let qemu = try RealQEMU(RealQEMU.memory(in: folder) + ["-S"], in: folder)
        #expect(try await qemu.preflight().verdict(on: .guestState) == .pass)
        try await qemu.ask { client in
            try await client.execute(Cont())
            try await client.execute(Stop())
        }
        #expect(try await qemu.preflight().verdict(on: .guestState) == .pass)
        try await qemu.ask { client in
            try await client.execute(Migrate(uri: "exec:cat >/dev/null"))
            for _ in 0..<1000 where try await client.execute(QueryMigrate()).status?.isFinal != true { usleep(5000) }
        }
        #expect(try await qemu.preflight().verdict(on: .guestState) == .fail)
    }

    @Test("Devices and jobs that keep a guest from migrating")
    func blockers() async throws {
        let folder = try RealFolder()
        try folder.image("a.qcow2")
        let disk = ["-drive", "if=none,id=d,file=\(folder.file("a.qcow2")),format=qcow2"]
        let nvme = try RealQEMU(
            RealQEMU.memory(in: folder) + disk + ["-device", "nvme,drive=d,serial=x"], in: folder)
        let report = try await nvme.preflight()
        #expect(report.verdict(on: .migrationBlocked) == .fail)
        #expect(report.findings.first { $0.id == .migrationBlocked }?.evidence.isEmpty == false)
        nvme.end()
        let qemu = try RealQEMU(RealQEMU.memory(in: folder) + disk + ["-device", "virtio-blk-pci,drive=d"], in: folder)
        try await qemu.ask { client in
            _ = try await client.executeRaw(
                "drive-mirror",
                arguments: ["device": "d", "target": .string(folder.file("b.qcow2")), "sync": "full", "job-id": "copy"])
        }
        #expect(try await qemu.preflight().verdict(on: .migrationBlocked) == .fail)
    }

    @Test("Another refresh of the same guest")
    func locked() async throws {
        let folder = try RealFolder()
        let qemu = try RealQEMU(RealQEMU.memory(in: folder), in: folder)
        try await qemu.ask { _ in }
        let lock = try FileLock.tryAcquire(folder.file("ram"))
        let isLocked = lock != nil
        #expect(isLocked)
        #expect(try await qemu.preflight().verdict(on: .refreshInProgress) == .fail)
        _ = consume lock
        #expect(try await qemu.preflight().verdict(on: .refreshInProgress) == .pass)
    }

    // MARK: - The new binary

    @Test("Things that are not a QEMU for this guest")
    func binaries() async throws {
        let folder = try RealFolder()
        let qemu = try RealQEMU(RealQEMU.memory(in: folder), in: folder)
        let cases: [(target: String, code: QEMUProbeError.Code)] = [
            ("/nowhere/qemu", .missing), ("no-such-qemu", .missing), ("", .missing), (folder.path, .notExecutable),
            (folder.file("ram"), .notExecutable), ("/bin/true", .notQEMU), (RealPrograms.image, .notQEMU),
            (try folder.script("fails", "echo no >&2; exit 7"), .exited),
            (try folder.script("child", "\(RealPrograms.qemu) \"$@\""), .wrapperDoesNotExec),
        ]
        for (target, code) in cases {
            await #expect(throws: QEMUProbeError.self, "\(target)") {
                do throws(QEMUProbeError) {
                    _ = try await QEMUProbe.ask(target)
                } catch {
                    #expect(error.code == code, "\(target): \(error)")
                    throw error
                }
            }
            #expect(try await qemu.preflight(to: target).verdict(on: .binaryUnusable) == .fail, "\(target)")
        }
    }

    @Test("A wrapper that becomes QEMU is seen through, or kept where it does more")
    func wrappers() async throws {
        let folder = try RealFolder()
        let plain = try folder.script("plain", "exec \(RealPrograms.qemu) -L /tmp/firmware \"$@\"")
        let probe = try await QEMUProbe.ask(plain)
        #expect(probe.binary.path == RealPrograms.qemu)
        #expect(probe.binary.firmwareDirectories == ["/tmp/firmware"])
        #expect(probe.target == "x86_64")
        let more = try folder.script("more", "export LD_LIBRARY_PATH=/tmp\nexec \(RealPrograms.qemu) \"$@\"")
        #expect(try await QEMUProbe.ask(more).binary.path == more)
        let qemu = try RealQEMU(RealQEMU.memory(in: folder), in: folder)
        let report = try await qemu.preflight(to: plain)
        #expect(report.verdict(on: .vmstateIncompatible) == .pass, "\(report.findings)")
    }

    @Test("A binary that hangs is given up", .timeLimit(.minutes(1)))
    func hangingBinary() async throws {
        let folder = try RealFolder()
        let hangs = try folder.script("hangs", "sleep 1000")
        let error = await #expect(throws: QEMUProbeError.self) { try await QEMUProbe.ask(hangs) }
        #expect(error?.code == .hangs)
        let left = try ProcFS.processes().filter { (try? ProcFS.commandLine($0))?.last == hangs }
        #expect(left == [])
    }

    @Test(
        "A machine type and a CPU model that the older version has not",
        .enabled(if: RealPrograms.hasOther, RealPrograms.howToGetReady))
    func olderBinary() async throws {
        let folder = try RealFolder()
        let memory = RealQEMU.memory(in: folder).map { $0.replacing("pc-q35-7.2", with: "pc-q35-10.0") }
        let qemu = try RealQEMU(memory + ["-cpu", "max"], in: folder, binary: RealPrograms.otherQEMU)
        let report = try await qemu.preflight(to: RealPrograms.qemu)
        #expect(report.verdict(on: .machineTypeUnknown) == .fail)
        #expect(report.verdict(on: .cpuTiedToHost) == .fail)
        qemu.end()
        let old = try RealQEMU(RealQEMU.memory(in: folder) + ["-cpu", "max"], in: folder)
        #expect(try await old.preflight(to: RealPrograms.otherQEMU).verdict(on: .cpuTiedToHost) == .warn)
    }

    // MARK: - Discovery

    @Test("Guests are found by name, pid and socket, with both versions")
    func discovery() async throws {
        let folder = try RealFolder()
        let name = "hfg-\(getpid())"
        let qemu = try RealQEMU(RealQEMU.memory(in: folder) + ["-name", "guest=\(name),debug-threads=on"], in: folder)
        for selector in [name, "\(qemu.pid)", qemu.qmp] {
            let guest = try await GuestDiscovery.find(selector)
            #expect(guest.identity == qemu.handle.identity)
            #expect(guest.runningVersion?.major == 7)
            #expect(guest.installedVersion == guest.runningVersion)
            #expect(guest.monitors.map(\.path) == [qemu.qmp])
            #expect(Preflight.glance(at: guest) == [])
        }
        let twin = try RealQEMU(["-machine", "none", "-name", name], in: folder, socket: "twin")
        #expect(
            try await GuestDiscovery.all().filter { $0.name == name }.count == 1, "a QEMU without machine is no guest")
        twin.end()
        let second = try RealQEMU(["-m", "64M", "-name", name], in: folder, socket: "second")
        await #expect(throws: DiscoveryError.self) { try await GuestDiscovery.find(name) }
        second.end()
    }

    @Test("A binary that was upgraded beneath its guest")
    func upgradedBinary() async throws {
        let folder = try RealFolder()
        let binary = folder.file("qemu-system-x86_64")
        let bytes = try Files.readAll(RealPrograms.qemu, limit: 1 << 30)
        try Files.replaceAtomically(binary, bytes: bytes, mode: 0o755, durable: false)
        let firmware = ["-L", "/usr/share/qemu", "-L", "/usr/share/seabios"]
        let qemu = try RealQEMU(
            RealQEMU.memory(in: folder) + firmware, in: folder, binary: binary,
            environment: ["QEMU_MODULE_DIR=/usr/lib/x86_64-linux-gnu/qemu"])
        unlink(binary)
        var guest = try await qemu.guest()
        #expect(guest.isBinaryDeleted)
        #expect(guest.runningVersion?.major == 7, "the file lives as long as the process")
        #expect(guest.installedVersion == nil)
        #expect(try await qemu.preflight().verdict(on: .binaryUnusable) == .fail)
        try Files.replaceAtomically(binary, bytes: bytes, mode: 0o755, durable: false)
        guest = try await qemu.guest()
        #expect(guest.isBinaryDeleted)
        #expect(guest.installedVersion?.major == 7)
        #expect(try await qemu.preflight().verdict(on: .binaryUnusable) == .pass)
    }

    @Test("What a guest's owner writes into a command line neither holds up nor steers whoever looks")
    func hostileProcess() async throws {
        let folder = try RealFolder()
        mkfifo(folder.file("pipe"), 0o600)
        let name = "a\u{1B}[2Jb"
        let qemu = try RealQEMU(RealQEMU.memory(in: folder) + ["-name", name], in: folder)
        #expect(try await qemu.guest().name == "a?[2Jb")
        // Waits forever for a writer of its configuration.
        var request = SpawnRequest(
            executable: RealPrograms.qemu,
            arguments: [RealPrograms.qemu, "-m", "16M", "-readconfig", folder.file("pipe")])
        request.workingDirectory = folder.path
        let waiting = try ProcessHandle(try spawn(request))
        defer { try? waiting.signal(SIGKILL) }
        let guest = try #require(await GuestDiscovery.process(waiting.identity))
        #expect(guest.commandLine == nil)
        #expect(Preflight.glance(at: guest).map(\.id) == [.commandLineUnreadable])
    }

    @Test(
        "Another user is told which rights are missing",
        .enabled(if: geteuid() == 0 && RealPrograms.command != nil, "needs root, setpriv(1) and a built hyperfresh"))
    func otherUser() async throws {
        let folder = try RealFolder()
        let qemu = try RealQEMU(RealQEMU.memory(in: folder), in: folder)
        try await qemu.ask { _ in }
        let command = try #require(RealPrograms.command)
        let report = folder.file("report")
        let output = try Descriptor.open(report, flags: O_WRONLY | O_CREAT)
        var request = SpawnRequest(
            executable: "/usr/bin/setpriv",
            arguments: [
                "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", command, "plan", "guest", "\(qemu.pid)",
                "--json",
            ],
            environment: ["HYPERFRESH_STATE_DIR=/tmp/hyperfresh-nobody"])
        request.descriptors = [.init(source: output.number, number: 1)]
        let process = try ProcessHandle(try spawn(request))
        #expect(await process.waitForExit(within: .seconds(30)))
        let plan = try JSONValue(parsing: try Files.readAll(report))
        let finding = try #require(plan["findings"]?.array?.first { $0["id"]?.string == "not-permitted" })
        #expect(finding["severity"]?.string == "fail")
        let evidence = finding["evidence"]?.array?.compactMap(\.string).joined() ?? ""
        for right in ["ptrace", "monitor", "the guest's user 0"] { #expect(evidence.contains(right)) }
        #expect(try await qemu.preflight().verdict(on: .notPermitted) == .pass)
    }
}
