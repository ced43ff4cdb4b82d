import Linux
import QMP
import Testing

@testable import Guests

@Suite("Preflight: the guest, its monitor and its host")
struct PreflightChecksTests {
    private func verdict(_ findings: [Finding], _ id: FindingID) -> FindingSeverity? {
        PreflightReport(findings: findings).verdict(on: id)
    }

    // MARK: - State

    @Test("guest-state", arguments: RunState.allCases)
    func state(state: RunState) {
        let expected: FindingSeverity =
            switch state {
            case .running, .paused, .prelaunch: .pass
            case .ioError: .warn
            default: .fail
            }
        #expect(verdict(StateChecks(description: Sample.description(state)).findings, .guestState) == expected)
    }

    @Test("migration-blocked")
    func blocked() {
        let clean = StateChecks(description: Sample.description(migration: .completed)).findings
        #expect(verdict(clean, .migrationBlocked) == .pass)
        let device = StateChecks(
            description: Sample.description(blockers: ["non-migratable device: 0000:00:03.0/nvme"]))
        #expect(verdict(device.findings, .migrationBlocked) == .fail)
        let migrating = StateChecks(description: Sample.description(migration: .active))
        #expect(verdict(migrating.findings, .migrationBlocked) == .fail)
    }

    // MARK: - Unverified facts

    @Test("confinement-changes")
    func confinement() {
        for (old, ours, expected) in [
            (nil, nil, .pass), ("libvirt-1 (enforce)", "libvirt-1 (enforce)", .pass), (nil, "docker (enforce)", .warn),
            ("libvirt-1 (enforce)", nil, .warn), ("system_u:system_r:svirt_t:s0:c1,c2", "system_u:x:y:s0", .warn),
        ] as [(String?, String?, FindingSeverity)] {
            #expect(TrustChecks.label(old: old, ours: ours).severity == expected)
        }
    }

    @Test("rights-by-command-line")
    func rights() {
        func severity(_ startsAsController: Bool, _ isRoot: Bool, _ user: UInt32?, _ isTrusted: Bool) -> FindingSeverity
        {
            TrustChecks.rights(
                startsAsController: startsAsController, isRoot: isRoot, user: user, isTrusted: isTrusted, binary: "/q"
            ).severity
        }
        #expect(severity(false, true, 1000, false) == .pass)
        #expect(severity(true, false, 1000, false) == .pass)
        #expect(severity(true, true, 0, false) == .pass)
        #expect(severity(true, true, 65534, true) == .warn)
        #expect(severity(true, true, 65534, false) == .fail)
        #expect(severity(true, true, nil, false) == .fail)
    }

    // MARK: - Monitor

    @Test("monitor-busy, monitor-missing and not-permitted")
    func monitor() {
        let guest = Sample.process("-qmp", "unix:/run/vm/qmp,server=on")
        let socket = MonitorSocket(path: "/run/vm/qmp")
        func finding(_ error: QMPError) -> Finding {
            MonitorConnection.finding(for: error, monitor: socket, guest: guest)
        }
        let busy = finding(QMPError(.busy, "no greeting"))
        #expect(busy.id == .monitorBusy)
        #expect(busy.remedy?.contains("/run/vm/qmp") == true)
        #expect(finding(QMPError(.timeout, "late")).id == .monitorBusy)
        #expect(finding(QMPError(.notQMP, "garbage")).id == .monitorMissing)
        #expect(
            finding(QMPError(.system, "x", systemError: SystemError(operation: "connect", subject: "", code: 111))).id
                == .monitorMissing)
        #expect(
            finding(QMPError(.system, "x", systemError: SystemError(operation: "connect", subject: "", code: 13))).id
                == .notPermitted)
    }

    // MARK: - Host

    @Test("kvm-unusable")
    func kvm() {
        let intel = "processor : 0\nflags\t\t: fpu vme vmx sse\n"
        let without = "processor : 0\nflags\t\t: fpu vme hypervisor\n"
        func verdict(_ text: String, refusal: String? = nil, isNeeded: Bool = true) -> FindingSeverity {
            HostChecks.kvm(isNeeded: isNeeded, cpuInformation: text, refusal: refusal).severity
        }
        #expect(verdict(intel) == .pass)
        #expect(verdict(without) == .fail, "the device opens, and no guest would boot")
        #expect(verdict(intel, refusal: "open /dev/kvm: Permission denied") == .fail)
        #expect(verdict(without, isNeeded: false) == .pass)
    }

    @Test("no-room-memory")
    func memory() {
        func severity(_ kibibytes: Int, _ overhead: UInt64) -> FindingSeverity {
            HostChecks.memory(
                overhead: overhead, memoryInformation: "MemTotal: 1 kB\nMemAvailable:    \(kibibytes) kB\n"
            ).severity
        }
        #expect(severity(1 << 20, 100 << 20) == .pass)
        #expect(severity(90 << 10, 100 << 20) == .fail)
        #expect(severity(60 << 10, 0) == .fail, "no QEMU is smaller than that")
        #expect(HostChecks.memory(overhead: 1, memoryInformation: "").severity == .warn)
    }

    @Test("no-room-disk")
    func disk() {
        #expect(HostChecks.disk(stateDirectory: "/tmp/nowhere/hyperfresh").id == .noRoomDisk)
        #expect(HostChecks.disk(stateDirectory: "/proc/nowhere").severity == .fail, "a file system without room")
    }

    @Test("not-permitted says which right is missing")
    func permissions() {
        #expect(PermissionChecks(lacks: []).finding.severity == .pass)
        let finding = PermissionChecks(lacks: [.init(right: "ptrace on pid 7", reason: "EPERM")]).finding
        #expect(finding.severity == .fail)
        #expect(finding.evidence == ["missing: ptrace on pid 7: EPERM"])
        #expect(PermissionChecks(Sample.process()).finding.severity == .fail, "a process that is gone")
        #expect(PermissionChecks.memoryFiles(["/nowhere/ram"]).count == 1)
    }

    // MARK: - Summary

    @Test("A list names the first reason without asking the guest")
    func glance() {
        let ram = "memory-backend-file,id=r,size=1G,mem-path=/nowhere/ram,share=on"
        func first(_ arguments: String...) -> FindingID? {
            var process = GuestProcess(
                identity: ProcessIdentity(pid: 999_999, startTime: 1),
                executable: ExecutableLink(path: "/q", isDeleted: false), arguments: ["q"] + arguments)
            process.workingDirectory = "/"
            return Preflight.glance(at: process).first?.id
        }
        let good = ["-machine", "q35,memory-backend=r", "-object", ram]
        #expect(first(good[0], good[1], good[2], good[3], "-qmp", "unix:/q,server=on") == nil)
        #expect(first(good[0], good[1], good[2], good[3]) == .monitorMissing)
        #expect(first("-m", "1G") == .ramNotShared)
        #expect(first("-nonsense") == .commandLineUnreadable)
        var waiting = Sample.process()
        waiting.isNewSideOfRefresh = true
        #expect(Preflight.glance(at: waiting).map(\.id) == [.refreshInProgress])
        waiting.isNewSideOfRefresh = false
        waiting.executable = nil
        #expect(Preflight.glance(at: waiting).map(\.id) == [.notPermitted])
    }
}

@Suite("Preflight: the new binary")
struct PreflightTargetTests {
    private func checks(
        _ old: QEMUVersion, _ new: QEMUVersion, cpu: String? = nil, cpuType: String = "qemu64-x86_64-cpu",
        machines: String...
    ) throws -> PreflightReport {
        let probe = QEMUProbe(
            binary: QEMUBinary(path: "/opt/qemu", version: .init(new.major, new.minor)), version: new, target: "x86_64",
            machines: try Sample.probe(new, machines: machines.first ?? "pc-q35-7.2").machines, properties: [:],
            environment: [:])
        return PreflightReport(
            findings: TargetChecks(
                description: Sample.description(version: old, cpuType: cpuType), cpuOption: cpu, isSameFile: false,
                targetPath: "/opt/qemu", targetVersion: new, probe: probe
            ).findings)
    }

    private let old = Sample.version(7, 2)
    private let new = Sample.version(10, 0)

    @Test("machine-type-unknown")
    func machineType() throws {
        #expect(try checks(old, new).verdict(on: .machineTypeUnknown) == .pass)
        let unknown = try checks(old, new, machines: "pc-q35-10.0")
        #expect(unknown.verdict(on: .machineTypeUnknown) == .fail)
        #expect(unknown.findings(.fail).first?.evidence == ["it knows pc-q35-10.0"])
    }

    @Test("cpu-tied-to-host")
    func cpu() throws {
        #expect(try checks(old, new).verdict(on: .cpuTiedToHost) == .pass)
        #expect(try checks(old, new, cpu: "Skylake-Server,+avx2").verdict(on: .cpuTiedToHost) == .pass)
        #expect(try checks(old, new, cpu: "host,migratable=on").verdict(on: .cpuTiedToHost) == .warn)
        #expect(try checks(new, old, cpu: "host").verdict(on: .cpuTiedToHost) == .fail)
        #expect(try checks(new, old, cpuType: "max-x86_64-cpu").verdict(on: .cpuTiedToHost) == .fail)
        #expect(try checks(old, old, cpu: "host").verdict(on: .cpuTiedToHost) == .pass)
        #expect(try checks(old, new, cpu: "Haswell,invtsc=on").verdict(on: .cpuTiedToHost) == .warn)
    }

    @Test("Firmware and modules beside an unpacked binary")
    func firmware() {
        let there: Set<String> = ["/opt/q/usr/share/qemu", "/opt/q/usr/share/seabios", "/opt/q/usr/lib64/qemu"]
        let found = FirmwareSearch.folders(for: "/opt/q/usr/bin/qemu", known: ["/opt/q/usr/bin/../share/qemu"]) {
            there.contains($0)
        }
        #expect(found.firmware == ["/opt/q/usr/share/seabios"])
        #expect(found.modules == "/opt/q/usr/lib64/qemu")
        let system = FirmwareSearch.folders(for: "/usr/bin/qemu-system-x86_64", known: []) { _ in true }
        #expect(system.firmware == [] && system.modules == nil)
    }

    @Test("What belongs to an unpacked old QEMU does not go along")
    func oldBinary() {
        var process = Sample.process("-L", "/opt/q/usr/share/qemu", "-L", "/srv/firmware")
        process.executable = ExecutableLink(path: "/opt/q/usr/bin/qemu-system-x86_64", isDeleted: false)
        let environment = ["QEMU_MODULE_DIR=/opt/q/usr/lib/qemu", "LD_LIBRARY_PATH=/opt/q/usr/lib:/srv/lib", "A=b"]
        let binary = OldBinary.describe(process, environment: environment, version: old)
        #expect(binary.firmwareDirectories == ["/opt/q/usr/share/qemu"])
        #expect(binary.moduleDirectory == "/opt/q/usr/lib/qemu")
        #expect(
            OldBinary.withoutOwnLibraries(environment, binary: binary.path) == [
                "QEMU_MODULE_DIR=/opt/q/usr/lib/qemu", "LD_LIBRARY_PATH=/srv/lib", "A=b",
            ])
    }
}
