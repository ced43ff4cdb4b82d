import Glibc
import Guests
import JSON
import Linux
import QMP
import Testing

/// Guests that were changed while they ran are taken over by a QEMU whose command line says the changes.
@Suite(
    "What was plugged into a real QEMU goes onto the new command line",
    .enabled(if: RealPrograms.isReady, RealPrograms.howToGetReady), .serialized)
struct ReadbackLiveTests {
    /// Root ports to plug into, as on any q35 that expects it.
    private static let ports = (1...6).flatMap {
        ["-device", "pcie-root-port,id=rp\($0),chassis=\($0),slot=\($0)"]
    }

    private func q35(_ folder: RealFolder, _ more: [String] = [], binary: String = RealPrograms.qemu) throws -> RealQEMU
    {
        let memory = RealQEMU.memory(in: folder).map { $0 == "128M" ? "128M,slots=4,maxmem=1G" : $0 }
        return try RealQEMU(
            memory + ["-smp", "1,maxcpus=4"] + Self.ports + more, in: folder, binary: binary)
    }

    /// Plans, starts the new QEMU, compares, proves, hands over.
    private func refresh(
        _ qemu: RealQEMU, to target: String? = nil, _ inspect: (PreflightResult, Handover) async throws -> Void
    ) async throws {
        _ = try await qemu.preflight(to: target) { result in
            let blocking = result.report.findings(.fail)
            #expect(blocking == [])
            let plan = try #require(result.plan)
            let old = try #require(result.description)
            let oldClient = try #require(result.client)
            let new = try await Handover.start(plan, old: qemu)
            defer { new.end() }
            let description = try await GuestDescription.describe(new.client, identity: new.handle.identity)
            #expect(GuestComparison.differences(old: old, new: description) == [])
            _ = try MemoryIdentity.prove(old: qemu.handle.identity, old, new: new.handle.identity, description)
            try await new.take(from: qemu, oldClient)
            try await inspect(result, new)
        }
    }

    /// Every kind of thing that can be plugged.
    private func plugEverything(into qemu: RealQEMU, _ client: QMPClient) async throws {
        let folder = qemu.folder
        try folder.image("hot.qcow2")
        try folder.image("drive.qcow2")
        let addDrive = HumanMonitorCommand(
            "drive_add 0 if=none,file=\(folder.file("drive.qcow2")),format=qcow2,id=drive2,cache=none")
        #expect(try await client.execute(addDrive).contains("OK"))
        try await client.execute(
            BlockdevAdd(["node-name": "file1", "driver": "file", "filename": .string(folder.file("hot.qcow2"))]))
        try await client.execute(
            BlockdevAdd(["node-name": "disk1", "driver": "qcow2", "file": "file1", "discard": "unmap"]))
        try await client.execute(ObjectAdd(["qom-type": "iothread", "id": "io1", "poll-max-ns": 1000]))
        try await client.execute(ObjectAdd(["qom-type": "rng-random", "id": "rng1", "filename": "/dev/random"]))
        try await client.execute(
            ObjectAdd([
                "qom-type": "memory-backend-file", "id": "mem1", "size": 134_217_728, "share": true,
                "mem-path": .string(folder.file("dimm")),
            ]))
        try await client.execute(
            ChardevAdd(
                id: "port1",
                backend: [
                    "type": "socket",
                    "data": [
                        "addr": ["type": "unix", "data": ["path": .string(folder.file("port1"))]], "server": true,
                        "wait": false,
                    ],
                ]))
        try await client.execute(NetdevAdd(["type": "user", "id": "net1", "net": "10.9.0.0/24"]))
        for device: [String: JSONValue] in [
            [
                "driver": "virtio-blk-pci", "id": "hd1", "drive": "disk1", "bus": "rp1", "serial": "A,B",
                "iothread": "io1",
            ],
            ["driver": "virtio-scsi-pci", "id": "zscsi", "bus": "rp2"],
            ["driver": "scsi-hd", "id": "hd2", "drive": "drive2", "bus": "zscsi.0", "lun": 3],
            ["driver": "virtio-net-pci", "id": "nic1", "netdev": "net1", "bus": "rp3", "mac": "52:54:00:11:22:33"],
            ["driver": "virtio-rng-pci", "rng": "rng1", "bus": "rp4"],
            ["driver": "virtserialport", "id": "p1", "chardev": "port1", "name": "org.example", "bus": "vs.0"],
            ["driver": "pc-dimm", "id": "dimm1", "memdev": "mem1"],
            ["driver": "qemu64-x86_64-cpu", "id": "cpu1", "socket-id": 0, "core-id": 2, "thread-id": 0],
            ["driver": "usb-tablet", "id": "tablet", "bus": "xhci.0"],
        ] {
            try await client.execute(DeviceAdd(device))
        }
    }

    private static let base = ["-device", "virtio-serial-pci,id=vs", "-device", "qemu-xhci,id=xhci"]

    @Test("Disks, NIC, memory, CPU, serial port, USB and objects, q35")
    func everything() async throws {
        let folder = try RealFolder()
        let qemu = try q35(folder, Self.base)
        try await qemu.ask { try await plugEverything(into: qemu, $0) }
        try await refresh(qemu) { result, _ in
            print(result.plan?.arguments.joined(separator: " ") ?? "")
            for finding in result.report.findings(.warn) { print(finding, finding.evidence) }
            #expect(result.report.verdict(on: .devicesNotOnCommandLine) == .warn)
        }
    }

    @Test(
        "The same to another version and back", .enabled(if: RealPrograms.hasOther, RealPrograms.howToGetReady),
        arguments: [(RealPrograms.qemu, RealPrograms.otherQEMU), (RealPrograms.otherQEMU, RealPrograms.qemu)])
    func everythingAcross(from: String, to: String) async throws {
        let folder = try RealFolder()
        let qemu = try q35(folder, Self.base, binary: from)
        try await qemu.ask { try await plugEverything(into: qemu, $0) }
        try await refresh(qemu, to: to) { result, _ in print(result.plan?.arguments.joined(separator: " ") ?? "") }
    }
}
