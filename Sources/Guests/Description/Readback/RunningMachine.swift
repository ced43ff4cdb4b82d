internal import JSON
internal import QMP

/// The running machine of a QEMU, which may differ from its command line; read over QMP and HMP.
///
/// It is data only, so that tests can use recordings.
struct RunningMachine: Sendable, Hashable {
    /// A device below /machine/peripheral or /machine/peripheral-anon.
    struct Device: Sendable, Hashable {
        var path: String
        var type: String
        /// Whether it was added after the machine was created, not by the command line.
        var isHotplugged: Bool
        /// The path of its bus; nil for a CPU or a DIMM.
        var parentBus: String?
        /// Its settable properties; for a device from the command line, only those that give its address and image.
        var properties: [Property]

        /// Its id; nil if it was created without one.
        var id: String? { GuestDescription.Peripheral(path: path, type: type).id }
    }

    /// A property that can be set when a device is created.
    struct Property: Sendable, Hashable {
        var name: String
        var type: String
        var value: JSONValue
        /// The device's own default; nil if its type reports none.
        var defaultValue: JSONValue?
    }

    /// A user-creatable object below /objects.
    struct Object: Sendable, Hashable {
        var id: String
        var type: String
        var properties: [String: JSONValue]
    }

    /// A character device.
    struct Chardev: Sendable, Hashable {
        var label: String
        /// As in `query-chardev`: `unix:/run/x.sock,server=on`, `pty:/dev/pts/3`, or only the kind.
        var filename: String
        /// The QOM type: `chardev-socket`; nil if QEMU does not report it.
        var type: String?
    }

    /// The devices in the order of their creation.
    var devices: [Device] = []
    var objects: [Object] = []
    var blocks = BlockGraph()
    var chardevs: [Chardev] = []
    var network = NetworkInfo("")
    /// The forwarding rules of user networks by netdev, as `hostfwd` takes them.
    var hostForwards: [String: [String]] = [:]
    /// The port of each USB device by its id, from `info usb`.
    var usbPorts: [String: String] = [:]
    var cpuSlots: [QueryHotpluggableCPUs.Slot] = []
    /// The number of /dev/vhost-net descriptors that the process has open.
    var vhostNetCount = 0
}

// MARK: - Query

extension RunningMachine {
    /// The properties that give the address and the image of a device from the command line.
    private static let placeProperties = ["addr", "drive", "scsi-id", "channel", "lun", "nr", "unit"]

    /// Queries a QEMU for its running machine.
    ///
    /// - Parameters:
    ///   - client: the QEMU's monitor.
    ///   - vhostNetCount: how many descriptors of /dev/vhost-net the process has open.
    /// - Returns: the running machine.
    /// - Throws: `QMPError` if a query is not answered.
    static func read(_ client: QMPClient, vhostNetCount: Int) async throws -> RunningMachine {
        async let devices = devices(client)
        async let objects = objects(client)
        async let nodes = client.executeRaw(
            "query-named-block-nodes", arguments: ["flat": true], deadline: .seconds(10))
        async let drives = client.executeRaw("query-block", deadline: .seconds(10))
        async let graph = client.rawIfKnown("x-debug-query-block-graph")
        async let chardevs = chardevs(client)
        async let network = client.ifKnown(HumanMonitorCommand("info network"))
        async let user = client.ifKnown(HumanMonitorCommand("info usernet"))
        async let usb = client.ifKnown(HumanMonitorCommand("info usb"))
        async let slots = client.ifKnown(QueryHotpluggableCPUs())
        return RunningMachine(
            devices: try await devices, objects: try await objects,
            blocks: BlockGraph(nodes: try await nodes, drives: try await drives, graph: try await graph),
            chardevs: try await chardevs, network: NetworkInfo(try await network ?? ""),
            hostForwards: UserNetworkInfo.hostForwards(try await user ?? ""),
            usbPorts: USBInfo.ports(try await usb ?? ""), cpuSlots: try await slots ?? [], vhostNetCount: vhostNetCount)
    }

    private static func devices(_ client: QMPClient) async throws -> [Device] {
        var devices: [Device] = []
        for folder in ["/machine/peripheral", "/machine/peripheral-anon"] {
            let children = try await client.execute(QOMList(path: folder))
            devices += try await withThrowingTaskGroup(of: Device.self) { group in
                for child in children {
                    guard let type = child.childType else { continue }
                    group.addTask { try await device("\(folder)/\(child.name)", type: type, client) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }.sorted { QOMOrder.precedes($0.path, $1.path) }
        }
        return devices
    }

    private static func device(_ path: String, type: String, _ client: QMPClient) async throws -> Device {
        let known = try await client.execute(QOMList(path: path))
        func value(_ name: String) async -> JSONValue? {
            guard known.contains(where: { $0.name == name }) else { return nil }
            // A property that cannot be read is absent, and compared as such.
            return try? await client.execute(QOMGet(path: path, property: name))
        }
        let isHotplugged = await value("hotplugged")?.bool ?? false
        let bus = await value("parent_bus")?.string
        var properties: [Property] = []
        if isHotplugged {
            properties = try await settable(path, type: type, known, client)
        } else {
            for name in placeProperties {
                if let value = await value(name) { properties.append(Property(name: name, type: "", value: value)) }
            }
        }
        return Device(
            path: path, type: type, isHotplugged: isHotplugged, parentBus: bus?.isEmpty == false ? bus : nil,
            properties: properties)
    }

    /// Returns the properties with which a device of this type can be created, and their current values.
    private static func settable(
        _ path: String, type: String, _ known: [ObjectProperty], _ client: QMPClient
    ) async throws -> [Property] {
        // A CPU has hundreds of features, and they come from -cpu.
        if type.hasSuffix("-cpu") { return [] }
        let names = Set(known.map(\.name))
        let listed = try await client.executeRaw("device-list-properties", arguments: ["typename": .string(type)])
        var properties: [Property] = []
        for entry in listed.array ?? [] {
            guard let name = entry["name"]?.string, let kind = entry["type"]?.string, names.contains(name),
                // Some are readable only in certain states; those do not show how the device was created.
                let value = try? await client.execute(QOMGet(path: path, property: name))
            else { continue }
            properties.append(Property(name: name, type: kind, value: value, defaultValue: entry["default-value"]))
        }
        return properties
    }

    private static func objects(_ client: QMPClient) async throws -> [Object] {
        var objects: [Object] = []
        for child in try await client.execute(QOMList(path: "/objects")) {
            guard let type = child.childType else { continue }
            let path = "/objects/\(child.name)"
            var properties: [String: JSONValue] = [:]
            for property in try await client.execute(QOMList(path: path)) where property.childType == nil {
                // A property that cannot be read is omitted, on both sides alike.
                properties[property.name] = try? await client.execute(QOMGet(path: path, property: property.name))
            }
            objects.append(Object(id: child.name, type: type, properties: properties))
        }
        return objects.sorted { $0.id < $1.id }
    }

    private static func chardevs(_ client: QMPClient) async throws -> [Chardev] {
        let types = Dictionary(
            try await client.execute(QOMList(path: "/chardevs")).map { ($0.name, $0.childType) },
            uniquingKeysWith: { first, _ in first })
        return try await client.execute(QueryChardev()).map { chardev in
            Chardev(label: chardev.label, filename: chardev.filename, type: types[chardev.label] ?? nil)
        }.sorted { $0.label < $1.label }
    }
}

extension QMPClient {
    /// Returns the raw reply; nil if this QEMU has no such command.
    fileprivate func rawIfKnown(_ name: String) async throws(QMPError) -> JSONValue? {
        do throws(QMPError) {
            return try await executeRaw(name)
        } catch  where error.code == .refused {
            return nil
        }
    }
}
