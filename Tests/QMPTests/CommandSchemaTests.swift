import JSON
import Testing

@testable import QMP

/// Checks every typed command against the schemas of real QEMUs.
@Suite struct CommandSchemaTests {
    /// Every typed command, with as many of its arguments as it may send.
    static let commands: [any QMPCommand] = [
        QueryVersion(), QueryName(), QueryUUID(), QueryKVM(), QueryMachines(), QueryCPUsFast(), QueryHotpluggableCPUs(),
        QueryStatus(), Stop(), Cont(), Quit(),
        QueryQMPSchema(), QueryCommandLineOptions(), HumanMonitorCommand("info mtree"),
        QueryMemdev(), QueryMemoryDevices(), QueryMemorySizeSummary(),
        QueryMigrate(), QueryMigrateCapabilities(), QueryMigrateParameters(),
        MigrateSetCapabilities([
            "events": true, "x-ignore-shared": true, "return-path": true, "late-block-activate": true,
        ]),
        MigrateSetParameters(maximumBandwidth: 1 << 40, downtimeLimit: 300),
        Migrate(uri: "fd:x"), MigrateIncoming(uri: "fd:x"), MigrateCancel(), MigrateContinue(state: .preSwitchover),
        QueryBlock(), QueryNamedBlockNodes(), QueryBlockJobs(), BlockdevDel(nodeName: "n"),
        BlockdevAdd([
            "driver": "qcow2", "node-name": "n", "read-only": true, "discard": "unmap",
            "file": ["driver": "file", "filename": "/x", "cache": ["direct": true]],
        ]),
        QueryChardev(), ChardevRemove(id: "c"),
        ChardevAdd(
            id: "c",
            backend: ["type": "socket", "data": ["addr": ["type": "unix", "data": ["path": "/x"]], "server": true]]
        ),
        GetFD(fdname: "f", descriptor: 0), CloseFD(fdname: "f"), AddFD(fdsetID: 1, opaque: "o", descriptor: 0),
        RemoveFD(fdsetID: 1, number: 2), QueryFDSets(),
        QueryVNC(), QuerySpice(), DisplayUpdate(vncAddresses: [["type": "unix", "path": "/x"]]),
        AnnounceSelf(), NetdevAdd(["type": "tap", "id": "n", "fd": "f", "vhost": true]), NetdevDel(id: "n"),
        QueryPCI(), DeviceAdd(["driver": "virtio-net-pci", "id": "d", "bus": "b"]), DeviceDel(id: "d"),
        DeviceListProperties(typeName: "virtio-net-pci"),
        QOMList(path: "/"), QOMGet(path: "/", property: "p"), QOMSet(path: "/", property: "p", value: 1),
        QOMListTypes(implements: "device", includesAbstract: true),
        ObjectAdd(["qom-type": "memory-backend-file", "id": "m", "size": 1, "mem-path": "/x", "share": true]),
        ObjectDel(id: "m"),
    ]

    /// Commands that only some QEMUs support: the client checks the schema before it sends them.
    static let newer: [any QMPCommand] = [MigrateSetParameters(mode: "cpr-transfer")]

    @Test(arguments: Fixtures.versions)
    func everyCommandIsAsTheSchemaHasIt(version: String) throws {
        let schema = try Fixtures.schema(version)
        for command in Self.commands + (version == "7.2" ? [] : Self.newer) {
            checkArguments(command, schema, version)
            checkReply(command, schema, version)
        }
    }

    private func checkArguments<C: QMPCommand>(_ command: C, _ schema: QMPSchema, _ version: String) {
        guard case .command(let type, _, _) = schema.entities[C.name] else {
            Issue.record("\(version) has no \(C.name)")
            return
        }
        for (path, value) in Self.leaves(.object(command.arguments)) {
            let types = schema.types(at: path[...], from: [type])
            #expect(!types.isEmpty, "\(version): \(C.name) does not take \(path)")
            let enumerations = types.filter { !schema.values(of: $0).isEmpty }
            if !enumerations.isEmpty, enumerations.count == types.count, let name = value.string {
                #expect(
                    enumerations.contains { schema.values(of: $0).contains(name) },
                    "\(version): \(C.name) \(path) cannot be \(name)"
                )
            }
        }
        for argument in schema.arguments(of: C.name) where !argument.isOptional {
            guard case .object(let members, _, _) = schema.entities[type] else { continue }
            guard members.contains(where: { $0.name == argument.name }) else { continue }
            #expect(command.arguments[argument.name] != nil, "\(version): \(C.name) lacks \(argument.name)")
        }
    }

    /// Reads generated replies of all kinds; returns the members that were read.
    @discardableResult
    private func checkReply<C: QMPCommand>(_ command: C, _ schema: QMPSchema, _ version: String) -> Set<[String]> {
        guard case .command(_, let type, _) = schema.entities[C.name] else { return [] }
        let record = MemberRecord()
        for fullness in SchemaSample.Fullness.allCases {
            for value in SchemaSample(schema: schema, fullness: fullness).values(of: type) {
                #expect(throws: Never.self, "\(version): \(C.name) cannot read \(value)") {
                    try C.reply(from: QMPReply(value, to: C.name, path: [], record: record))
                }
            }
        }
        return record.all
    }

    /// An optional member may be missing from one version's schema, but not from all.
    @Test func everyMemberReadIsInSomeSchema() throws {
        let schemas = try Fixtures.versions.map { try Fixtures.schema($0) }
        for command in Self.commands {
            let name = type(of: command).name
            let known = schemas.filter { schema in schema.hasCommand(name) }
            let read = known.reduce(into: Set<[String]>()) { $0.formUnion(checkReply(command, $1, "")) }
            for path in read {
                #expect(known.contains { $0.hasReply(name, path) }, "no QEMU returns \(path) to \(name)")
            }
        }
    }

    /// Returns the scalars of a value with their paths; arrays do not add to the path.
    private static func leaves(_ value: JSONValue, at path: [String] = []) -> [([String], JSONValue)] {
        switch value {
        case .object(let members): members.flatMap { leaves($0.value, at: path + [$0.key]) }
        case .array(let elements): elements.flatMap { leaves($0, at: path) }
        default: [(path, value)]
        }
    }

    @Test(arguments: Fixtures.versions)
    func enumerationsCoverTheSchema(version: String) throws {
        let schema = try Fixtures.schema(version)
        guard case .command(_, let status, _) = schema.entities["query-status"],
            case .command(_, let migration, _) = schema.entities["query-migrate"]
        else {
            Issue.record("the schema lacks the commands")
            return
        }
        let runStates = schema.types(at: ["status"], from: [status]).reduce(into: Set()) {
            $0.formUnion(schema.values(of: $1))
        }
        #expect(runStates.isSubset(of: RunState.allCases.map(\.rawValue)))
        #expect(runStates.isSuperset(of: RunState.allCases.filter { $0 != .preconfig }.map(\.rawValue)))
        let statuses = schema.types(at: ["status"], from: [migration])
            .reduce(into: Set()) { $0.formUnion(schema.values(of: $1)) }
        #expect(!statuses.isEmpty)
        #expect(statuses.isSubset(of: MigrationStatus.allCases.map(\.rawValue)))
    }

    @Test(arguments: Fixtures.versions)
    func eventsThatTheProductWaitsForAreThere(version: String) throws {
        let schema = try Fixtures.schema(version)
        for event in ["STOP", "RESUME", "MIGRATION", "SHUTDOWN", "DEVICE_DELETED", "RESET", "GUEST_PANICKED"] {
            #expect(schema.hasEvent(event))
        }
        #expect(schema.event("MIGRATION", carries: "status"))
        #expect(schema.event("SHUTDOWN", carries: "reason"))
        #expect(schema.event("DEVICE_DELETED", carries: "device"))
        #expect(!schema.event("STOP", carries: "x"))
    }
}

extension QMPSchema {
    fileprivate func hasReply(_ command: String, _ path: [String]) -> Bool {
        guard case .command(_, let type, _) = entities[command] else { return false }
        return !types(at: path[...], from: [type]).isEmpty
    }
}
