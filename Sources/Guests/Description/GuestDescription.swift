internal import JSON
package import Linux
package import QMP

/// A guest as its QEMU reports it.
package struct GuestDescription: Sendable, Hashable {
    /// A device that was given on the command line or added later.
    package struct Peripheral: Sendable, Hashable {
        /// Its path in QEMU's object tree: `/machine/peripheral/ID`, or `/machine/peripheral-anon/device[N]`.
        package var path: String
        /// Its type, such as `virtio-blk-pci`.
        package var type: String
        /// The path of its bus in the object tree; nil for a CPU or a DIMM.
        package var bus: String?
        /// Its address on a PCI bus: eight times the slot, plus the function; nil on any other bus.
        package var address: Int?
        /// A network card's MAC address; nil for any other device.
        package var hardwareAddress: String?

        /// Creates the description of a device; nil means that the device has no such property.
        ///
        /// - Parameters:
        ///   - path: its path in the object tree.
        ///   - type: its type.
        ///   - bus: the path of its bus.
        ///   - address: its address on a PCI bus.
        ///   - hardwareAddress: a network card's MAC address.
        package init(
            path: String, type: String, bus: String? = nil, address: Int? = nil, hardwareAddress: String? = nil
        ) {
            self.path = path
            self.type = type
            self.bus = bus
            self.address = address
            self.hardwareAddress = hardwareAddress
        }

        /// Its id; nil if it was created without one.
        package var id: String? {
            let folder = "/machine/peripheral/"
            return path.hasPrefix(folder) ? String(path.dropFirst(folder.count)) : nil
        }
    }

    /// The run state, which tells why its vCPUs run or not.
    package var runState: RunState
    /// Whether its vCPUs run.
    package var isRunning: Bool
    /// The version of the QEMU that runs it.
    package var version: QEMUVersion
    /// The machine type, never an alias: `pc-q35-7.2`.
    package var machineType: String
    /// The guest's name; nil if it has none.
    package var name: String?
    /// The guest's UUID; nil for the null UUID, which means that none was given.
    package var uuid: String?
    /// Its memory backends, with their mappings.
    package var memory: [MemoryBackend]
    /// Where the backends lie in the guest's physical address space; empty if QEMU does not report it.
    package var memoryLayout: [GuestMemoryRange]
    /// Whether KVM runs it.
    package var isKVM: Bool
    /// The type of its CPUs, such as `qemu64-x86_64-cpu`; nil if the machine has no pluggable CPUs.
    package var cpuType: String?
    /// The CPU slots, occupied or not.
    package var cpuSlots: [QueryHotpluggableCPUs.Slot]
    /// Its vCPUs.
    package var cpus: [QueryCPUsFast.CPU]
    /// Why it cannot migrate, in QEMU's words; empty if it can.
    package var migrationBlockers: [String]
    /// The status of its last or current migration; nil if there was none.
    package var migrationStatus: MigrationStatus?
    /// The migration capabilities that its QEMU knows, and whether they are enabled.
    package var migrationCapabilities: [String: Bool]
    /// Its block devices and what is inserted in them.
    package var drives: [QueryBlock.Drive]
    /// The nodes of the block layer.
    package var blockNodes: [BlockNode]
    /// The running block jobs, which copy or merge images.
    package var blockJobs: [QueryBlockJobs.Job]
    /// The character devices.
    package var chardevs: [QueryChardev.Chardev]
    /// The PCI functions on the root buses; a bridge contains the functions behind it.
    package var pci: [PCIDevice]
    /// The devices that were given on the command line or added later.
    package var peripherals: [Peripheral]
    /// The plugged memory devices.
    package var memoryDevices: [QueryMemoryDevices.Device]
    /// The VNC display; nil if QEMU was built without VNC.
    package var vnc: QueryVNC.Reply?
    /// The SPICE server; nil if QEMU was built without SPICE or has not loaded it.
    package var spice: QuerySpice.Reply?
    /// The sets of file descriptors that QEMU received.
    package var fdSets: [QueryFDSets.FDSet]
}

// MARK: - Query

extension GuestDescription {
    /// Queries a QEMU about its guest.
    ///
    /// The queries change nothing and do not stop the guest.
    ///
    /// - Parameters:
    ///   - client: the QEMU's monitor.
    ///   - identity: the QEMU's process; its mappings show which files are its memory. If they are not readable, or the
    ///     process runs under another kernel (nil), the backends have no mapping.
    /// - Returns: the description.
    /// - Throws: `QMPError` if QEMU does not answer a query that every QEMU since 4.0 answers.
    package static func describe(
        _ client: QMPClient, identity: ProcessIdentity?
    ) async throws(QMPError) -> GuestDescription {
        do {
            return try await ask(client, identity: identity)
        } catch let error as QMPError {
            throw error
        } catch {
            throw QMPError(.unusableReply, "\(error)", endpoint: client.endpoint)
        }
    }

    private static func ask(_ client: QMPClient, identity: ProcessIdentity?) async throws -> GuestDescription {
        async let status = client.execute(QueryStatus())
        async let type = client.execute(QOMGet(path: "/machine", property: "type"))
        async let name = client.execute(QueryName())
        async let uuid = client.execute(QueryUUID())
        async let memory = memory(client, pid: identity?.pid)
        async let tree = client.ifKnown(HumanMonitorCommand("info mtree"))
        async let kvm = client.execute(QueryKVM())
        async let slots = client.ifKnown(QueryHotpluggableCPUs())
        async let cpus = client.execute(QueryCPUsFast())
        async let migration = client.execute(QueryMigrate())
        async let capabilities = client.execute(QueryMigrateCapabilities())
        async let drives = client.execute(QueryBlock())
        async let nodes = client.execute(QueryNamedBlockNodes())
        async let jobs = client.execute(QueryBlockJobs())
        async let chardevs = client.execute(QueryChardev())
        async let pci = client.ifKnown(QueryPCI())
        async let peripherals = peripherals(client)
        async let devices = client.ifKnown(QueryMemoryDevices())
        async let vnc = client.ifKnown(QueryVNC())
        async let spice = client.ifKnown(QuerySpice())
        async let sets = client.execute(QueryFDSets())
        let backends = try await memory
        return GuestDescription(
            runState: try await status.state, isRunning: try await status.isRunning,
            version: client.greeting.version,
            machineType: machineType(try await type), name: try await name, uuid: realUUID(try await uuid),
            memory: backends,
            memoryLayout: MemoryTree(try await tree ?? "").layout(of: Set(backends.map(\.id))),
            isKVM: try await kvm.isEnabled, cpuType: try await slots?.first?.type, cpuSlots: try await slots ?? [],
            cpus: try await cpus, migrationBlockers: try await migration.blockedReasons,
            migrationStatus: try await migration.status, migrationCapabilities: try await capabilities,
            drives: try await drives, blockNodes: try await nodes, blockJobs: try await jobs,
            chardevs: try await chardevs, pci: try await pci ?? [], peripherals: try await peripherals,
            memoryDevices: try await devices ?? [], vnc: try await vnc, spice: try await spice, fdSets: try await sets)
    }

    private static func memory(_ client: QMPClient, pid: Int32?) async throws(QMPError) -> [MemoryBackend] {
        let types = Dictionary(
            try await client.execute(QOMList(path: "/objects")).compactMap { object in
                object.childType.map { (object.name, $0) }
            },
            uniquingKeysWith: { first, _ in first })
        // If the mappings are not readable, a backend has no file; preflight reports that.
        let files = MappedFile.all(in: pid.flatMap { try? ProcFS.mappings($0) } ?? [])
        var backends: [MemoryBackend] = []
        for backend in try await client.execute(QueryMemdev()) {
            // Only a backend that QEMU itself created, for a device, has no id.
            guard let id = backend.id else { continue }
            let type = types[id] ?? "memory-backend"
            let path = await property("mem-path", of: id, client).flatMap(\.string)
            let discards = await property("discard-data", of: id, client).flatMap(\.bool)
            let found = MemoryBackend(
                id: id, type: type, size: backend.size, isShared: backend.isShared,
                isPreallocated: backend.isPreallocated, discardsData: discards ?? false, path: path)
            backends.append(pid.map { found.mapped(in: $0, files: files) } ?? found)
        }
        return backends
    }

    /// Returns a property of a backend; nil if its type does not have it.
    private static func property(_ name: String, of id: String, _ client: QMPClient) async -> JSONValue? {
        try? await client.execute(QOMGet(path: "/objects/\(id)", property: name))
    }

    private static func peripherals(_ client: QMPClient) async throws(QMPError) -> [Peripheral] {
        var found: [Peripheral] = []
        for folder in ["/machine/peripheral", "/machine/peripheral-anon"] {
            let children = try await client.execute(QOMList(path: folder))
            found += await withTaskGroup(of: Peripheral.self) { group in
                for child in children {
                    guard let type = child.childType else { continue }
                    group.addTask { await peripheral("\(folder)/\(child.name)", type: type, client) }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }.sorted { QOMOrder.precedes($0.path, $1.path) }
        }
        return found
    }

    private static func peripheral(_ path: String, type: String, _ client: QMPClient) async -> Peripheral {
        // QEMU refuses to read a property that a device does not have.
        async let bus = try? client.execute(QOMGet(path: path, property: "parent_bus"))
        async let address = try? client.execute(QOMGet(path: path, property: "addr"))
        // Only network cards have one.
        async let hardware = try? client.execute(QOMGet(path: path, property: "mac"))
        let parent = await bus?.string
        // A DIMM's `addr` is a memory address.
        return Peripheral(
            path: path, type: type, bus: parent, address: parent?.isEmpty == false ? await address?.int : nil,
            hardwareAddress: await hardware?.string)
    }

    private static func machineType(_ value: JSONValue) -> String {
        let type = value.string ?? ""
        return type.hasSuffix("-machine") ? String(type.dropLast("-machine".count)) : type
    }

    private static func realUUID(_ text: String) -> String? {
        text.allSatisfy { $0 == "0" || $0 == "-" } ? nil : text
    }
}

/// The creation order of devices without ids: `device[9]` before `device[10]`.
enum QOMOrder {
    static func precedes(_ left: String, _ right: String) -> Bool {
        guard let leftIndex = index(left), let rightIndex = index(right) else { return left < right }
        return leftIndex < rightIndex
    }

    private static func index(_ path: String) -> Int? {
        guard path.hasSuffix("]"), let open = path.lastIndex(of: "[") else { return nil }
        return Int(path[path.index(after: open)...].dropLast())
    }
}

extension QMPClient {
    /// Returns the reply; nil if this QEMU has no such command because it is older or was built without it.
    func ifKnown<C: QMPCommand>(_ command: C) async throws(QMPError) -> C.Reply? {
        do throws(QMPError) {
            return try await execute(command)
        } catch  where error.code == .refused {
            return nil
        }
    }
}
