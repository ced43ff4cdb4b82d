import JSON
@testable import QEMUCommandLine
import QMP
import Testing

@testable import Guests

@Suite("What the human monitor says")
struct HumanMonitorTests {
    @Test("info network")
    func network() {
        let info = NetworkInfo(
            """
            hub 0\r
             \\ hub0port2: #net176: index=0,type=user,net=10.0.2.0,restrict=off\r
             \\ h0: rtl8139.0: index=0,type=nic,model=rtl8139,macaddr=52:54:00:12:34:58\r
            nic1: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:11:22:33\r
             \\ t1: index=0,type=tap,ifname=tap0,script=no,downscript=no\r
             \\ t1: index=1,type=tap,ifname=tap0,script=no,downscript=no\r
            un1: index=0,type=user,net=10.9.0.0,restrict=on\r
            """)
        #expect(info.backends.map(\.id) == ["hub0port2", "#net176", "h0", "t1", "un1"])
        #expect(info.backends.map(\.type) == ["hubport", "user", "hubport", "tap", "user"])
        #expect(info.backends[3].queues == 2)
        #expect(info.backends[3].details["ifname"] == "tap0")
        #expect(NetworkInfo("").backends == [])
    }

    @Test("info usernet")
    func forwards() {
        let text = """
            Hub -1 (un1):\r
              Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\r
              TCP[HOST_FORWARD]  13       127.0.0.1  2299       10.9.0.15    22     0     0\r
              UDP[HOST_FORWARD]  14               *    53       10.9.0.15    53     0     0\r
              TCP[ESTABLISHED]   15       10.9.0.15 50000         1.1.1.1    80     0     0\r
            Hub -1 (un2):\r
            """
        #expect(
            UserNetworkInfo.hostForwards(text) == [
                "un1": ["tcp:127.0.0.1:2299-10.9.0.15:22", "udp::53-10.9.0.15:53"], "un2": [],
            ])
    }

    @Test("info usb and info qom-tree")
    func others() {
        #expect(
            USBInfo.ports("  Device 0.0, Port 1.2, Speed 480 Mb/s, Product QEMU USB Tablet, ID: ut\r\n  no") == [
                "ut": "1.2"
            ])
        #expect(
            QOMTree.types("/machine (pc-q35-7.2-machine)\r\n  /x[0] (irq)\r\n    /y (virtio-blk-pci)\r\n/z")
                == ["pc-q35-7.2-machine", "irq", "virtio-blk-pci"])
    }
}

@Suite("What runs, against the command line")
struct ReadbackTests {
    private func line(_ text: String) throws -> CommandLine {
        try CommandLine(arguments: ["qemu"] + text.split(separator: " ").map(String.init)) { _ in "" }
    }

    private func read(_ machine: RunningMachine, _ text: String) throws -> RunningConfiguration {
        RunningConfiguration.read(machine, against: try line(text))
    }

    private func device(
        _ type: String, id: String, bus: String? = "/machine/q35/pcie.0", hot: Bool = true,
        _ properties: [RunningMachine.Property] = []
    ) -> RunningMachine.Device {
        RunningMachine.Device(
            path: "/machine/peripheral/\(id)", type: type, isHotplugged: hot, parentBus: bus, properties: properties)
    }

    private func property(
        _ name: String, _ value: JSONValue, type: String = "uint32", default usual: JSONValue? = nil
    ) -> RunningMachine.Property {
        RunningMachine.Property(name: name, type: type, value: value, defaultValue: usual)
    }

    @Test("A device is made with what differs from its defaults")
    func properties() throws {
        var machine = RunningMachine()
        machine.devices = [
            device(
                "virtio-blk-pci", id: "d,1",
                [
                    property("addr", 41), property("drive", "#block7", type: "str"),
                    property("serial", "", type: "str"),
                    property("iothread", "/objects/io1", type: "link<iothread>"),
                    property("num-queues", 4, default: 65535),
                    property("host", "/machine/peripheral/x", type: "link<device>"), property("bootindex", -1),
                    property("x-disable-pcie", true, default: false),
                    property("packed", true, type: "bool", default: false),
                    property("write-cache", "auto", default: "auto"),
                    property("virtio-backend", "/machine/x", type: "child<virtio-blk-device>"),
                ])
        ]
        let options = try read(machine, "").additions.map(\.description)
        #expect(
            options == [
                "-device virtio-blk-pci,id=d,,1,bus=pcie.0,addr=5.1,drive=hf-block7,iothread=io1,num-queues=4,packed=on"
            ])
    }

    @Test("What the new QEMU does not know is left to its machine type")
    func unknownProperties() throws {
        var machine = RunningMachine()
        machine.devices = [
            device("virtio-net-pci", id: "n", [property("host_uso", false, default: true), property("mac", "x")])
        ]
        let known = ["virtio-net-pci": Set(["mac"])]
        let configuration = RunningConfiguration.read(machine, against: try line(""), knownProperties: known)
        #expect(configuration.additions.map(\.description) == ["-device virtio-net-pci,id=n,bus=pcie.0,mac=x"])
    }

    @Test("Controllers come before what sits on them")
    func order() throws {
        var machine = RunningMachine()
        machine.devices = [
            device("scsi-hd", id: "a", bus: "/machine/peripheral/z/virtio-backend/z.0", [property("lun", 2)]),
            device("virtio-scsi-pci", id: "z"),
        ]
        #expect(
            try read(machine, "").additions.map(\.description) == [
                "-device virtio-scsi-pci,id=z,bus=pcie.0", "-device scsi-hd,id=a,bus=z.0,lun=2",
            ])
    }

    @Test("A device that was plugged again is another one")
    func replugged() throws {
        var machine = RunningMachine()
        machine.devices = [device("e1000", id: "n0"), device("e1000", id: "n1", hot: false, [property("addr", 32)])]
        let configuration = try read(machine, "-device e1000,id=n0 -device e1000,id=n1")
        #expect(configuration.removals == [RemovedObject(.device, id: "n0")])
        #expect(configuration.additions.map(\.description) == ["-device e1000,id=n0,bus=pcie.0"])
        #expect(configuration.commandLine.options.last?.value == "e1000,id=n1,bus=pcie.0,addr=4.0")
    }

    @Test("A structured property has no form on a command line")
    func structured() throws {
        var machine = RunningMachine()
        machine.devices = [device("virtio-blk-pci", id: "d", [property("iothread-vq-mapping", [["iothread": "i"]])])]
        let configuration = try read(machine, "")
        #expect(configuration.unreadable.map(\.what) == ["device d"])
        #expect(configuration.findings.map(\.severity) == [.fail])
    }

    @Test("Images that were exchanged, recorded from QEMU 7.2")
    func blocks() throws {
        let recording = try Fixture.json("Description/blocks-7.2.json")
        var machine = RunningMachine()
        machine.blocks = BlockGraph(
            nodes: try #require(recording["nodes"]), drives: try #require(recording["drives"]),
            graph: recording["graph"])
        machine.devices = [
            device("virtio-blk-pci", id: "d0", hot: false, [property("addr", 8), property("drive", "cn2")])
        ]
        let configuration = try read(
            machine,
            "-blockdev driver=file,node-name=cf,filename=/images/a.qcow2 -blockdev driver=qcow2,node-name=cn,file=cf "
                + "-device virtio-blk-pci,drive=cn,id=d0 -drive if=virtio,file=/images/b.qcow2,format=qcow2 "
                + "-cdrom /images/c.qcow2")
        #expect(
            configuration.commandLine.options.map(\.description) == [
                "-blockdev driver=file,node-name=cf,filename=/images/a.qcow2",
                "-blockdev driver=qcow2,node-name=cn,file=cf,read-only=on", "-device virtio-blk-pci,drive=cn2,id=d0",
                "-drive if=virtio,file=/images/b2.qcow2,format=qcow2", "-drive index=2,media=cdrom",
            ])
        #expect(
            configuration.additions.map(\.description) == [
                "-blockdev qcow2,node-name=cn2,backing=cn,file.driver=file,file.filename=/images/a2.qcow2",
                "-drive if=none,id=hot,file=/images/d.qcow2,format=qcow2,cache.direct=on,throttling.iops-total=100",
            ])
        #expect(configuration.unreadable == [])
    }

    @Test("Chardevs, objects and networks that were added")
    func others() throws {
        var machine = RunningMachine()
        machine.chardevs = [
            .init(label: "serial0", filename: "null", type: "chardev-null"),
            .init(label: "c1", filename: "disconnected:unix:/run/c1,server=on", type: "chardev-socket"),
            .init(label: "c2", filename: "disconnected:telnet:127.0.0.1:4555,server=on", type: "chardev-socket"),
            .init(label: "c3", filename: "tcp:127.0.0.1:9 <-> 127.0.0.1:5", type: "chardev-socket"),
            .init(label: "c4", filename: "file", type: "chardev-file"),
        ]
        machine.objects = [
            .init(id: "pc.ram", type: "memory-backend-ram", properties: [:]),
            .init(id: "io", type: "iothread", properties: ["poll-max-ns": 32768, "poll-grow": 2, "type": "iothread"]),
        ]
        machine.network = NetworkInfo(
            "t: index=0,type=tap,fd=17\nu: index=0,type=user,net=10.9.0.0,restrict=on\nv: index=0,type=vhost-user")
        machine.hostForwards = ["u": ["tcp::22-:22"]]
        machine.vhostNetCount = 1
        let configuration = try read(machine, "-m 1G")
        #expect(
            configuration.additions.map(\.description) == [
                "-object iothread,id=io,poll-grow=2", "-chardev socket,id=c1,path=/run/c1,server=on,wait=off",
                "-chardev socket,id=c2,host=127.0.0.1,port=4555,telnet=on,server=on,wait=off",
                "-chardev socket,id=c3,host=127.0.0.1,port=9", "-netdev tap,id=t,fd=17,vhost=on",
                "-netdev user,id=u,net=10.9.0.0/24,restrict=on,hostfwd=tcp::22-:22",
            ])
        #expect(configuration.unreadable.map(\.what) == ["chardev c4 (file)", "netdev v (vhost-user)"])
    }
}
