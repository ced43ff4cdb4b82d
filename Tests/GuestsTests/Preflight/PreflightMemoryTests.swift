import Testing

@testable import Guests

@Suite("Preflight: the guest's memory")
struct PreflightMemoryTests {
    private func report(
        _ backends: [MemoryBackend], mode: UInt32 = 0o600, reachable: Bool = true, stack: ManagementStack = .plain
    ) -> PreflightReport {
        PreflightReport(
            findings: MemoryChecks(
                name: "web", stack: stack, backends: backends,
                files: ["ram0": .init(mode: mode, isReachableByOthers: reachable)]
            ).findings)
    }

    @Test("A shared file with a name, closed to others")
    func good() {
        let report = report([Sample.backend()])
        #expect(report.findings.map(\.severity) == [.pass, .pass, .pass, .pass, .pass])
    }

    @Test("ram-not-shared")
    func notShared() {
        #expect(report([]).verdict(on: .ramNotShared) == .fail)
        #expect(report([Sample.backend("memory-backend-ram", share: false)]).verdict(on: .ramNotShared) == .fail)
        #expect(report([Sample.backend(privately: true)]).verdict(on: .ramNotShared) == .fail)
        #expect(report([Sample.backend()]).verdict(on: .ramNotShared) == .pass)
    }

    @Test("ram-not-named-file")
    func notNamed() {
        #expect(report([Sample.backend("memory-backend-memfd")]).verdict(on: .ramNotNamedFile) == .fail)
        #expect(report([Sample.backend(mapped: false)]).verdict(on: .ramNotNamedFile) == .fail)
        let huge = report([Sample.backend(deleted: true, path: "/dev/hugepages/qemu_back_mem.ram0.Xy")])
        #expect(huge.verdict(on: .ramNotNamedFile) == .fail)
        #expect(huge.findings(.fail).first?.evidence.first?.contains("mem-path is a directory") == true)
    }

    @Test("ram-file-too-open")
    func tooOpen() {
        #expect(report([Sample.backend()], mode: 0o644).verdict(on: .ramFileTooOpen) == .warn)
        #expect(report([Sample.backend()], mode: 0o660).verdict(on: .ramFileTooOpen) == .fail)
        #expect(report([Sample.backend()], mode: 0o666, reachable: false).verdict(on: .ramFileTooOpen) == .pass)
        #expect(
            report([Sample.backend()], mode: 0o644).findings(.warn).first?.remedy?.contains("chmod 600 /dev/shm/vm")
                == true)
    }

    @Test("ram-discard-data and ram-prealloc")
    func hazards() {
        var backend = Sample.backend()
        backend.discardsData = true
        backend.isPreallocated = true
        let report = report([backend])
        #expect(report.verdict(on: .ramDiscardData) == .warn)
        #expect(report.verdict(on: .ramPrealloc) == .warn)
        #expect(!report.isBlocked)
    }

    @Test("The remedy is told in the terms of who started the guest")
    func stacks() {
        let arguments = { (path: String) in ManagementStack(arguments: ["qemu", "-chardev", "socket,path=\(path)"]) }
        #expect(arguments("/var/lib/libvirt/qemu/domain-1-a/monitor.sock") == .libvirt)
        #expect(arguments("/var/run/qemu-server/100.qmp") == .proxmox)
        #expect(arguments("/run/incus/a/qemu.monitor") == .incus)
        #expect(arguments("/run/vc/vm/a/qmp.sock") == .kata)
        #expect(arguments("/run/a") == .plain)
        for (stack, word) in [(ManagementStack.libvirt, "<memoryBacking>"), (.proxmox, "qm set"), (.plain, "-object")] {
            let remedy = report([Sample.backend(share: false)], stack: stack).findings(.fail).first?.remedy
            #expect(remedy?.contains(word) == true)
        }
    }
}
