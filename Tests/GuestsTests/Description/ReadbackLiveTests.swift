import Glibc
import Guests
import JSON
import Linux
import QMP
import Testing

/// Guests that were changed at run time are handed over to a QEMU whose command line includes the changes.
@Suite(
    "What was plugged into a real QEMU goes onto the new command line",
    .enabled(if: RealPrograms.isReady, RealPrograms.howToGetReady), .serialized)
struct ReadbackLiveTests {
    /// Root ports for hot plug, as any q35 machine needs for it.
    private static let ports = (1...6).flatMap {
        ["-device", "pcie-root-port,id=rp\($0),chassis=\($0),slot=\($0)"]
    }

    private func q35(_ folder: RealFolder, _ more: [String] = [], binary: String = RealPrograms.qemu) throws -> RealQEMU
    {
        let memory = RealQEMU.memory(in: folder).map { $0 == "128M" ? "128M,slots=4,maxmem=1G" : $0 }
        return try RealQEMU(
            memory + ["-smp", "1,maxcpus=4"] + Self.ports + more, in: folder, binary: binary)
    }

    /// Plans, starts the new QEMU, compares both, proves that they share memory, and hands over.
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

    /// Plugs every kind of device and backend.
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

    /// A guest on the older machine type, where devices are on the root bus and QEMU chooses their addresses.
    private func pc(_ folder: RealFolder, _ more: [String]) throws -> RealQEMU {
        let memory = RealQEMU.memory(in: folder).map {
            $0 == "pc-q35-7.2,memory-backend=ram0" ? "pc-i440fx-7.2,memory-backend=ram0" : $0
        }
        return try RealQEMU(memory + more, in: folder)
    }

    @Test("A disk and a NIC, pc")
    func rootBus() async throws {
        let folder = try RealFolder()
        try folder.image("hot.qcow2")
        let qemu = try pc(folder, ["-vga", "std", "-device", "virtio-rng-pci"])
        try await qemu.ask { client in
            try await client.execute(
                BlockdevAdd([
                    "node-name": "disk1", "driver": "qcow2", "read-only": true,
                    "file": ["driver": "file", "filename": .string(folder.file("hot.qcow2"))],
                ]))
            try await client.execute(NetdevAdd(["type": "user", "id": "net1"]))
            try await client.execute(DeviceAdd(["driver": "virtio-blk-pci", "id": "hd1", "drive": "disk1"]))
            try await client.execute(DeviceAdd(["driver": "e1000", "id": "nic1", "netdev": "net1", "addr": "0x10"]))
        }
        try await refresh(qemu) { result, _ in
            let line = result.plan?.arguments.joined(separator: " ") ?? ""
            #expect(line.contains("-device virtio-blk-pci,id=hd1,bus=pci.0,addr=4.0"))
            #expect(line.contains("-device e1000,id=nic1,bus=pci.0,addr=10.0"))
            #expect(line.contains("node-name=disk1,read-only=on,file.driver=file"))
        }
    }

    @Test("What was removed goes, and what stays keeps its place")
    func removals() async throws {
        let folder = try RealFolder()
        try folder.image("a.qcow2")
        try folder.image("b.qcow2")
        let qemu = try q35(
            folder,
            [
                "-device", "qemu-xhci", "-device", "usb-tablet,id=tablet", "-device", "usb-kbd,id=keyboard",
                "-device", "virtio-scsi-pci,id=scsi", "-drive",
                "if=none,id=a,file=\(folder.file("a.qcow2")),format=qcow2",
                "-drive", "if=none,id=b,file=\(folder.file("b.qcow2")),format=qcow2", "-device",
                "scsi-hd,drive=a,id=hda",
                "-device", "scsi-hd,drive=b,id=hdb", "-chardev", "null,id=spare", "-netdev", "user,id=unused",
                "-object", "iothread,id=worker",
            ])
        try await qemu.ask { client in
            for id in ["tablet", "hda"] { try await client.execute(DeviceDel(id: id)) }
            try await client.execute(ChardevRemove(id: "spare"))
            try await client.execute(NetdevDel(id: "unused"))
            try await client.execute(ObjectDel(id: "worker"))
        }
        // QEMU closes images in the background.
        usleep(200_000)
        try await refresh(qemu) { result, _ in
            let line = result.plan?.arguments.joined(separator: " ") ?? ""
            for gone in ["tablet", "a.qcow2", "id=hda", "spare", "unused", "worker"] {
                #expect(!line.contains(gone), "\(gone) is still there")
            }
            #expect(line.contains("usb-kbd,id=keyboard,bus=usb-bus.0,port=2"))
            #expect(line.contains("scsi-hd,drive=b,id=hdb,bus=scsi.0,scsi-id=1,channel=0,lun=0"))
        }
    }

    /// Copies an image and switches to the copy, whose node name QEMU generates.
    private func mirror(_ node: String, to file: String, _ client: QMPClient) async throws {
        try await client.executeRaw(
            "drive-mirror",
            arguments: [
                "device": .string(node), "job-id": "m", "target": .string(file), "sync": "full", "format": "qcow2",
            ])
        for _ in 0..<1000 where try await client.executeRaw("query-block-jobs")[0]?["ready"]?.bool != true {
            usleep(2000)
        }
        try await client.executeRaw("block-job-complete", arguments: ["device": "m"])
        for _ in 0..<1000 where try await client.executeRaw("query-block-jobs").array?.isEmpty != true { usleep(2000) }
    }

    @Test("Snapshots, media and mirrors taken while the guest ran")
    func images() async throws {
        let folder = try RealFolder()
        for name in ["a", "b", "c", "d", "cd1", "cd2"] { try folder.image("\(name).qcow2") }
        func drive(_ name: String) -> String { "file=\(folder.file("\(name).qcow2")),format=qcow2" }
        let qemu = try q35(
            folder,
            [
                "-blockdev", "file,node-name=af,filename=\(folder.file("a.qcow2"))", "-blockdev",
                #"{"driver":"qcow2","node-name":"a","file":"af"}"#, "-device", "virtio-blk-pci,drive=a,id=hda",
                "-blockdev", "qcow2,node-name=b,file.driver=file,file.filename=\(folder.file("b.qcow2"))", "-device",
                "virtio-blk-pci,drive=b,id=hdb", "-drive", "if=virtio,\(drive("c"))", "-drive",
                "if=none,id=d,\(drive("d"))", "-device", "virtio-blk-pci,drive=d", "-cdrom", folder.file("cd1.qcow2"),
            ])
        try await qemu.ask { client in
            func snapshot(_ arguments: [String: JSONValue]) async throws {
                try await client.executeRaw(
                    "blockdev-snapshot-sync", arguments: arguments.merging(["format": "qcow2"]) { $1 })
            }
            try await snapshot([
                "node-name": "a", "snapshot-file": .string(folder.file("a2.qcow2")), "snapshot-node-name": "a2",
            ])
            try await mirror("b", to: folder.file("b2.qcow2"), client)
            try await snapshot(["device": "virtio0", "snapshot-file": .string(folder.file("c2.qcow2"))])
            try await snapshot(["device": "d", "snapshot-file": .string(folder.file("d2.qcow2"))])
            try await snapshot(["device": "d", "snapshot-file": .string(folder.file("d3.qcow2"))])
            try await client.executeRaw(
                "blockdev-change-medium",
                arguments: ["device": "ide2-cd0", "filename": .string(folder.file("cd2.qcow2")), "format": "qcow2"])
        }
        try await refresh(qemu) { result, new in
            let line = result.plan?.arguments.joined(separator: " ") ?? ""
            for image in ["a2", "b2", "c2", "d3", "cd2"] { #expect(line.contains("\(image).qcow2"), "\(image)") }
            #expect(!line.contains("cd1.qcow2"))
            print(line)
            let nodes = try await new.client.execute(QueryNamedBlockNodes())
            let open = Set(nodes.filter { $0.driver == "qcow2" }.compactMap { $0.file.split(separator: "/").last })
            #expect(
                open == [
                    "a.qcow2", "a2.qcow2", "b.qcow2", "b2.qcow2", "c.qcow2", "c2.qcow2", "cd2.qcow2", "d.qcow2",
                    "d2.qcow2", "d3.qcow2",
                ])
        }
    }

    @Test("An ejected medium stays out")
    func ejected() async throws {
        let folder = try RealFolder()
        try folder.image("cd.qcow2")
        let qemu = try q35(folder, ["-drive", "media=cdrom,index=2,readonly=on,file=\(folder.file("cd.qcow2"))"])
        try await qemu.ask { client in _ = try await client.execute(HumanMonitorCommand("eject -f ide2-cd0")) }
        try await refresh(qemu) { result, _ in
            let line = result.plan?.arguments.joined(separator: " ") ?? ""
            #expect(line.contains("-drive index=2,media=cdrom"))
            #expect(!line.contains("cd.qcow2"))
        }
    }

    @Test("What cannot be read back is named")
    func unreadable() async throws {
        let folder = try RealFolder()
        let qemu = try q35(folder, [])
        try await qemu.ask { client in
            try await client.execute(
                ChardevAdd(
                    id: "log", backend: ["type": "file", "data": ["out": .string(folder.file("log"))]]))
            try await client.execute(ObjectAdd(["qom-type": "secret", "id": "s1", "data": "geheim"]))
        }
        let report = try await qemu.preflight()
        let finding = try #require(report.findings(.fail).first { $0.id == .devicesNotOnCommandLine })
        #expect(finding.evidence.contains { $0.hasPrefix("chardev log (file): ") })
        #expect(finding.evidence.contains { $0.hasPrefix("object s1 (secret): ") })
    }

    @Test(
        "A guest as it was started has nothing to read back",
        arguments: [
            "-vga std -serial null -parallel null -monitor null",
            "-nic user,model=virtio-net-pci -nic user,id=second -net nic,model=e1000 -net user",
            "-netdev user,id=n0 -device virtio-net,netdev=n0 -netdev hubport,hubid=0,id=h0 -device rtl8139,netdev=h0",
            "-hda @a -cdrom @b -drive if=virtio,file=@c,throttling.iops-total=100 -drive if=floppy,format=raw,file=@d",
            "-drive if=none,id=x,file=@a,format=qcow2 -device virtio-blk,drive=x -device virtio-blk-pci,drive=y "
                + "-blockdev node-name=y,driver=qcow2,file.driver=file,file.filename=@b,file.node-name=yf",
            "-usb -device usb-tablet -usbdevice mouse -device usb-storage,drive=z -drive if=none,id=z,file=@a,format=qcow2",
            "-chardev null,id=c0,mux=on -serial chardev:c0 -mon chardev=c0,mode=readline -chardev ringbuf,id=c1 "
                + "-device virtio-serial -device virtconsole,chardev=c1 -debugcon null",
            "-object iothread,id=i0 -object secret,id=s0,data=x -object rng-random,id=r0,filename=/dev/urandom "
                + "-device virtio-rng-pci,rng=r0 -device virtio-balloon -object throttle-group,id=t0",
            "-fw_cfg name=opt/x,string=y -device i6300esb -device intel-hda -device hda-duplex -vnc none -device virtio-gpu",
            "-virtfs local,path=/tmp,mount_tag=t,security_model=none -device pvpanic -device isa-serial,chardev=q "
                + "-chardev null,id=q",
        ])
    func untouched(options: String) async throws {
        let folder = try RealFolder()
        for name in ["a", "b", "c", "d"] { try folder.image(name) }
        let words = options.split(separator: " ").map { String($0).replacing("@", with: folder.path + "/") }
        let qemu = try RealQEMU(RealQEMU.memory(in: folder) + words, in: folder)
        let report = try await qemu.preflight { result in
            let differences = result.report.findings.filter { $0.id == .devicesNotOnCommandLine }
            #expect(differences.map(\.severity) == [.pass])
            #expect(differences.flatMap(\.evidence) == [])
        }
        #expect(report.verdict(on: .devicesNotOnCommandLine) == .pass)
    }

    @Test(
        "Taps, by name and as descriptors", .enabled(if: geteuid() == 0 && RealPrograms.hasTap, "needs root and ip(8)"))
    func taps() async throws {
        let folder = try RealFolder()
        let names = ["hfr\(getpid() % 10000)a", "hfr\(getpid() % 10000)b"]
        for name in names { try RealPrograms.tap(name, "add") }
        defer { for name in names { try? RealPrograms.tap(name, "del") } }
        let qemu = try q35(folder, [])
        try await qemu.ask { client in
            try await client.execute(
                NetdevAdd([
                    "type": "tap", "id": "t1", "ifname": .string(names[0]), "script": "no", "downscript": "no",
                ]))
            let tap = try RealPrograms.openTap(names[1])
            try await client.execute(GetFD(fdname: "tapfd", descriptor: tap.number))
            try await client.execute(NetdevAdd(["type": "tap", "id": "t2", "fd": "tapfd"]))
            try await client.execute(DeviceAdd(["driver": "virtio-net-pci", "netdev": "t1", "id": "e1", "bus": "rp1"]))
            try await client.execute(DeviceAdd(["driver": "virtio-net-pci", "netdev": "t2", "id": "e2", "bus": "rp2"]))
        }
        try await refresh(qemu) { result, _ in
            let interfaces = result.plan?.descriptors.compactMap { descriptor -> String? in
                if case .tap(let interface) = descriptor.role { return interface }
                return nil
            }
            #expect(interfaces == names)
        }
    }
}
