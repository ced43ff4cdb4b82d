import Glibc
import JSON
import Linux
import QMP
import QMPTesting
import Testing

/// The client on real QEMUs.
@Suite(.serialized, .timeLimit(.minutes(2)), .enabled(if: !LiveQEMU.binaries.isEmpty, "\(LiveQEMU.advice)"))
struct QMPLiveTests {
    private static let machine = ["-machine", "q35"]

    @Test(arguments: LiveQEMU.binaries)
    func describesAMachine(binary: LiveQEMU.Binary) async throws {
        let qemu = try LiveQEMU(binary, arguments: Self.machine + ["-name", "a guest", "-smp", "2"])
        let client = try await qemu.connect()
        #expect("\(client.greeting.version.major).\(client.greeting.version.minor)" == binary.series)
        #expect(client.isOutOfBandEnabled)
        #expect(try await client.execute(QueryVersion()) == client.greeting.version)
        #expect(try await client.execute(QueryName()) == "a guest")
        #expect(try await client.execute(QueryUUID()) == "00000000-0000-0000-0000-000000000000")
        #expect(try await client.execute(QueryKVM()).isEnabled == false)
        #expect(try await client.execute(QueryStatus()).state == .prelaunch)
        #expect(try await client.execute(QueryMachines()).contains { $0.alias == "q35" })
        #expect(try await client.execute(QueryCPUsFast()).map(\.index) == [0, 1])
        #expect(try await client.execute(QueryHotpluggableCPUs()).count == 2)
        #expect(try await client.execute(QueryMemdev()).map(\.size) == [64 << 20])
        #expect(try await client.execute(QueryMemoryDevices()).isEmpty)
        #expect(try await client.execute(QueryMemorySizeSummary()).baseMemory == 64 << 20)
        #expect(try await client.execute(QueryPCI()).contains { $0.vendorID == 0x8086 })
        #expect(try await client.execute(QueryBlock()).isEmpty)
        #expect(try await client.execute(QueryBlockJobs()).isEmpty)
        #expect(try await client.execute(QueryChardev()).contains { $0.isFrontendOpen })
        #expect(try await client.execute(QueryCommandLineOptions())["name"]?.contains("guest") == true)
        #expect(try await client.execute(QOMList(path: "/machine")).contains { $0.name == "peripheral" })
        #expect(
            try await client.execute(QOMGet(path: "/machine", property: "type")).string?.hasPrefix("pc-q35-") == true)
        #expect(try await client.execute(QOMListTypes(implements: "device")).contains("virtio-blk-pci"))
        #expect(
            try await client.execute(DeviceListProperties(typeName: "virtio-blk-pci")).contains { $0.name == "drive" })
        #expect(try await client.execute(HumanMonitorCommand("info mtree -f")).contains("ram"))
    }

    @Test(arguments: LiveQEMU.binaries)
    func changesAMachine(binary: LiveQEMU.Binary) async throws {
        let qemu = try LiveQEMU(binary, arguments: Self.machine + ["-device", "pcie-root-port,id=rp"])
        let client = try await qemu.connect()
        try await client.execute(BlockdevAdd(["driver": "null-co", "node-name": "n", "size": 1_048_576]))
        let node = try await client.execute(QueryNamedBlockNodes()).first { $0.nodeName == "n" }
        #expect(node?.driver == "null-co")
        #expect(node?.virtualSize == 1 << 20)
        try await client.execute(DeviceAdd(["driver": "virtio-blk-pci", "id": "d", "drive": "n", "bus": "rp"]))
        #expect(try await client.execute(QueryBlock()).first?.inserted?.nodeName == "n")
        #expect(try await client.execute(QueryPCI()).contains { $0.qdevID == "rp" })
        #expect(
            try await client.execute(QOMList(path: "/machine/peripheral")).first { $0.name == "d" }?.childType
                == "virtio-blk-pci")
        try await client.execute(ObjectAdd(["qom-type": "memory-backend-ram", "id": "m", "size": 1_048_576]))
        #expect(try await client.execute(QueryMemdev()).contains { $0.id == "m" && !$0.isShared })
        try await client.execute(ObjectDel(id: "m"))
        try await client.execute(ChardevAdd(id: "c", backend: ["type": "null", "data": [:]]))
        try await client.execute(ChardevRemove(id: "c"))
        try await client.execute(NetdevAdd(["type": "hubport", "id": "h", "hubid": 1]))
        try await client.execute(NetdevDel(id: "h"))
        try await client.execute(AnnounceSelf())
        let refused = await #expect(throws: QMPError.self) { try await client.execute(BlockdevDel(nodeName: "n")) }
        #expect(refused?.code == .refused)
        let missing = await #expect(throws: QMPError.self) { try await client.execute(DeviceDel(id: "none")) }
        #expect(missing?.refusal?.isDeviceNotFound == true)
    }

    @Test(arguments: LiveQEMU.binaries)
    func passesDescriptors(binary: LiveQEMU.Binary) async throws {
        let qemu = try LiveQEMU(binary, arguments: Self.machine)
        let client = try await qemu.connect()
        let (mine, yours) = try UnixStream.pair()
        try await client.execute(GetFD(fdname: "f", descriptor: yours.number))
        try await client.execute(CloseFD(fdname: "f"))
        let added = try await client.execute(AddFD(opaque: "note", descriptor: mine.number))
        let sets = try await client.execute(QueryFDSets())
        #expect(sets.first?.id == added.fdsetID)
        #expect(sets.first?.descriptors.map(\.number) == [added.number])
        #expect(sets.first?.descriptors.first?.opaque == "note")
        try await client.execute(RemoveFD(fdsetID: added.fdsetID, number: added.number))
    }

    @Test(arguments: LiveQEMU.binaries)
    func preparesAMigration(binary: LiveQEMU.Binary) async throws {
        let qemu = try LiveQEMU(binary, arguments: Self.machine)
        let client = try await qemu.connect()
        let names = ["events", "x-ignore-shared", "return-path", "late-block-activate"]
        try await client.execute(MigrateSetCapabilities(Dictionary(uniqueKeysWithValues: names.map { ($0, true) })))
        let capabilities = try await client.execute(QueryMigrateCapabilities())
        for name in names { #expect(capabilities[name] == true) }
        try await client.execute(MigrateSetParameters(maximumBandwidth: 1 << 40, downtimeLimit: 5000))
        let parameters = try await client.execute(QueryMigrateParameters())
        #expect(parameters.maximumBandwidth == 1 << 40)
        #expect(parameters.downtimeLimit == 5000)
        #expect(parameters.mode == (binary.series == "7.2" ? nil : "normal"))
        #expect(try await client.execute(QueryMigrate()).blockedReasons == [])
        try await client.execute(MigrateCancel())
    }

    @Test(arguments: LiveQEMU.binaries)
    func hearsOfWhatItCauses(binary: LiveQEMU.Binary) async throws {
        let qemu = try LiveQEMU(binary, arguments: Self.machine)
        let client = try await qemu.connect()
        let events = client.events(named: ["STOP", "RESUME", "SHUTDOWN"])
        try await client.execute(Cont())
        #expect(try await client.execute(QueryStatus()).isRunning)
        try await client.execute(Stop())
        #expect(try await client.execute(QueryStatus()).state == .paused)
        let resumed = try await events.next(within: .seconds(5))
        let stopped = try await events.next(within: .seconds(5))
        #expect(resumed.name == "RESUME" && stopped.name == "STOP")
        #expect(resumed.timestamp < stopped.timestamp)
        try client.post("quit")
        #expect(try await events.next(within: .seconds(5)).name == "SHUTDOWN")
        let end = await #expect(throws: QMPError.self) { try await events.next(within: .seconds(20)) }
        #expect(end?.code == .disconnected)
    }

    @Test(arguments: LiveQEMU.binaries)
    func theRecordedSchemaIsThatOfToday(binary: LiveQEMU.Binary) async throws {
        let qemu = try LiveQEMU(binary, arguments: ["-machine", "none"])
        let client = try await qemu.connect()
        let schema = try await client.execute(QueryQMPSchema())
        let recorded = try Fixtures.schema(binary.series)
        #expect(schema.commands == recorded.commands, "run scripts/record-qmp-schema \(binary.path)")
        #expect(schema.events == recorded.events, "run scripts/record-qmp-schema \(binary.path)")
    }

    @Test(arguments: LiveQEMU.binaries)
    func aMonitorServesOneClient(binary: LiveQEMU.Binary) async throws {
        let qemu = try LiveQEMU(binary, arguments: ["-machine", "none"])
        let client = try await qemu.connect()
        for attempt in 0..<3 {
            let busy = await #expect(throws: QMPError.self) {
                try await QMPClient.connect(path: qemu.path, greetingDeadline: .milliseconds(200))
            }
            #expect(busy?.code == .busy)
            // Later clients are not even queued, so the error cannot name the process at work.
            if attempt == 0 { #expect(busy?.message.contains("\(qemu.identity.pid)") == true) }
        }
        client.close()
        let next = try await qemu.connect()
        #expect(try await next.execute(QueryStatus()).state == .prelaunch)
    }

    @Test(arguments: LiveQEMU.binaries)
    func aHungQEMUHoldsNobodyUp(binary: LiveQEMU.Binary) async throws {
        let qemu = try LiveQEMU(binary, arguments: ["-machine", "none"])
        let client = try await qemu.connect()
        try qemu.signal(SIGSTOP)
        let error = await #expect(throws: QMPError.self) {
            try await client.execute(QueryStatus(), deadline: .milliseconds(200))
        }
        #expect(error?.code == .timeout)
        #expect(error?.message.contains("\(qemu.identity.pid)") == true)
        try qemu.signal(SIGCONT)
        #expect(try await client.execute(QueryUUID()).count == 36)
        let events = client.events()
        try qemu.signal(SIGKILL)
        let end = await #expect(throws: QMPError.self) { try await events.next(within: .seconds(20)) }
        #expect(end?.code == .disconnected)
    }

    @Test(arguments: LiveQEMU.binaries)
    func realQEMUsConform(binary: LiveQEMU.Binary) async throws {
        let qemu = try LiveQEMU(binary, arguments: ["-machine", "none"])
        try await qemu.connect().close()
        for finding in await QMPConformance.run(path: qemu.path) { #expect(finding.passes, "\(finding)") }
    }

    @Test(.enabled(if: LiveAgent.binary != nil, "qemu-ga is missing: apt-get install qemu-guest-agent"))
    func talksToARealAgent() async throws {
        let agent = try await LiveAgent()
        let client = try await QGAClient.connect(path: agent.path)
        try await client.execute(GuestPing())
        let info = try await client.execute(GuestInfo())
        #expect(info.commands.contains("guest-sync-delimited"))
        let error = await #expect(throws: QMPError.self) { try await client.executeRaw("guest-nonsense") }
        #expect(error?.refusal?.isCommandNotFound == true)
        let bad = await #expect(throws: QMPError.self) {
            try await client.executeRaw("guest-file-close", arguments: ["handle": 12345])
        }
        #expect(bad?.code == .refused)
        try agent.signal(SIGSTOP)
        let late = await #expect(throws: QMPError.self) {
            try await client.execute(GuestPing(), deadline: .milliseconds(200))
        }
        #expect(late?.code == .timeout)
        try agent.signal(SIGCONT)
        #expect(try await client.execute(GuestInfo()).version == info.version)
    }
}
