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
        for finding in report.findings { print(finding, finding.evidence) }
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
        for finding in up.findings { print(finding, finding.evidence) }
        #expect(!up.isBlocked)
        old.end()
        let new = try RealQEMU(
            RealQEMU.memory(in: folder) + devices, in: folder, binary: RealPrograms.otherQEMU, socket: "qmp2")
        let down = try await new.preflight(to: RealPrograms.qemu)
        for finding in down.findings { print(finding, finding.evidence) }
        #expect(!down.isBlocked)
    }
}
