internal import JSON
internal import QEMUCommandLine
internal import QMP

extension ConfigurationReader {
    /// Reads devices that were added by `device_add`, removed by `device_del`, or given another image.
    mutating func readDevices() {
        let cold = machine.devices.filter { !$0.isHotplugged }
        let gone = ids(of: "device").subtracting(cold.compactMap(\.id))
        remove(.device, gone)
        let places = coldPlaces(cold, gone: gone)
        for (index, device) in places { followImage(of: device, at: index) }
        // The address that QEMU assigns to a device depends on the devices before it.
        if !gone.isEmpty {
            for (index, device) in places { pin(device, at: index) }
        }
        for device in Self.ordered(machine.devices.filter(\.isHotplugged)) { addDevice(device) }
    }

    /// Returns the devices, controllers before the devices on their buses.
    private static func ordered(_ devices: [RunningMachine.Device]) -> [RunningMachine.Device] {
        var rest = devices
        var ordered: [RunningMachine.Device] = []
        while let index = rest.firstIndex(where: { device in
            !rest.contains { device.parentBus?.hasPrefix($0.path + "/") == true }
        }) {
            ordered.append(rest.remove(at: index))
        }
        return ordered + rest
    }

    /// Returns the indices of the `-device` options with the devices that they created.
    private mutating func coldPlaces(
        _ cold: [RunningMachine.Device], gone: Set<String>
    ) -> [(index: Int, device: RunningMachine.Device)] {
        var nameless = cold.filter { $0.id == nil }
        var places: [(Int, RunningMachine.Device)] = []
        for (index, option) in result.commandLine.options.enumerated() where option.name == "device" {
            guard let properties = option.properties, let driver = properties["driver"] else { continue }
            if let id = properties["id"] {
                if let device = cold.first(where: { $0.id == id }) { places.append((index, device)) }
            } else if let match = nameless.firstIndex(where: { Self.isKind($0.type, driver) }) {
                places.append((index, nameless.remove(at: match)))
            } else {
                refuse("device \(driver)", "it was removed, or has no id and cannot be distinguished from others")
            }
        }
        return places
    }

    /// Returns whether a driver name, possibly an alias, denotes this type: `virtio-blk` is `virtio-blk-pci` on a PC.
    private static func isKind(_ type: String, _ driver: String) -> Bool {
        let aliases = ["e1000": "e1000-82540em", "ES1370": "es1370", "ahci": "ich9-ahci", "lsi": "lsi53c895a"]
        return type == driver || type.hasPrefix(driver + "-") || type == aliases[driver]
            || aliases.contains { $0.value == driver && $0.key == type } || type == driver.lowercased()
    }

    /// Follows a change of image: a snapshot or a mirror puts another node below a device; a CD may be exchanged.
    private mutating func followImage(of device: RunningMachine.Device, at index: Int) {
        guard var properties = result.commandLine.options[index].properties, let given = properties["drive"] else {
            return
        }
        let present = drive(of: device)
        guard present != given else { return }
        if present.isEmpty {
            properties.remove("drive")
        } else {
            properties.set("drive", present)
        }
        result.commandLine.options[index].properties = properties
        result.changes.append(
            "device \(device.id ?? device.type) uses \(present.isEmpty ? "no medium" : present) instead of \(given)")
    }

    /// Returns the drive or node that a device uses; empty for a drive without medium.
    ///
    /// `usb-storage` passes its drive to a SCSI disk that it creates, and keeps no record.
    private func drive(of device: RunningMachine.Device) -> String {
        let own = device["drive"]?.string ?? ""
        let inner = machine.blocks.drives.first { $0.device?.hasPrefix(device.path + "/") == true }
        let name = own.isEmpty ? inner.map { $0.name.isEmpty ? $0.root ?? "" : $0.name } ?? "" : own
        return ConfigurationReader.nodeName(name)
    }

    /// Sets a device's address explicitly if the command line left it to QEMU.
    private mutating func pin(_ device: RunningMachine.Device, at index: Int) {
        guard var properties = result.commandLine.options[index].properties else { return }
        let before = properties
        for (key, value) in place(of: device) where properties[key] == nil { properties.set(key, value) }
        if properties != before { result.commandLine.options[index].properties = properties }
    }

    /// Returns the bus and the address on it, as options.
    private func place(of device: RunningMachine.Device) -> [(key: String, value: String)] {
        guard let bus = device.parentBus.flatMap({ $0.split(separator: "/").last }) else { return [] }
        var pairs = [(key: "bus", value: String(bus))]
        if let address = device["addr"]?.integer {
            let function = address & 7
            pairs.append(("addr", String(address >> 3, radix: 16) + "." + String(function)))
        }
        for key in ["scsi-id", "channel", "lun", "nr", "unit"] {
            if let text = device[key]?.optionText { pairs.append((key, text)) }
        }
        if let port = device.id.flatMap({ machine.usbPorts[$0] }) { pairs.append(("port", port)) }
        return pairs
    }
}

// MARK: - Additions

extension ConfigurationReader {
    /// Properties that QEMU sets itself, or that another part of the option gives.
    private static let ownProperties: Set<String> = [
        "addr", "attached", "busnr", "channel", "guest-stats", "guest-stats-polling-interval", "hotplugged", "lun",
        "nr",
        "parent_bus", "port", "realized", "scsi-id", "type", "unit",
    ]

    private mutating func addDevice(_ device: RunningMachine.Device) {
        var pairs = [(key: "driver", value: device.type)]
        if let id = device.id { pairs.append(("id", id)) }
        if let slot = machine.cpuSlots.first(where: { $0.qomPath == device.path }) {
            // The model and its features come from -cpu; the node from -numa.
            pairs += slot.properties.filter { $0.key != "node-id" }.sorted { $0.key < $1.key }.map {
                ($0.key, "\($0.value)")
            }
            return add("device", pairs, impliedKey: "driver")
        }
        pairs += place(of: device)
        for property in device.properties.sorted(by: { $0.name < $1.name }) where isNeeded(property, of: device) {
            guard let text = Self.text(of: property) else {
                return refuse(
                    "device \(device.id ?? device.path)", "its property \(property.name) cannot be given as an option")
            }
            pairs.append((property.name, text))
        }
        if device.type == "usb-storage" { pairs.append(("drive", drive(of: device))) }
        add("device", pairs, impliedKey: "driver")
    }

    /// Returns whether the option must set a property: it differs from the default, and the new QEMU knows it.
    private func isNeeded(_ property: RunningMachine.Property, of device: RunningMachine.Device) -> Bool {
        let name = property.name
        // A DIMM's address is a memory address, and its size is that of its backend.
        let isMemory = device.parentBus == nil
        if Self.ownProperties.contains(name) && !(isMemory && name == "addr") { return false }
        if isMemory && name == "size" { return false }
        // Settings of the machine type for migration, and links that a device creates to itself.
        if name.hasPrefix("x-") || property.type.contains(" ") || property.type.hasPrefix("child<") { return false }
        if property.type.hasPrefix("link<"), property.value.string?.hasPrefix("/objects/") != true { return false }
        if let known = knownProperties[device.type], !known.contains(name) { return false }
        switch property.value {
        case .null, .string(""), .array([]), .object([:]): return false
        case .integer(-1) where property.defaultValue == nil: return false
        default: return property.value != property.defaultValue
        }
    }

    private static func text(of property: RunningMachine.Property) -> String? {
        if property.type.hasPrefix("link<"), let path = property.value.string {
            return path.split(separator: "/").last.map(String.init)
        }
        if property.name == "drive", let name = property.value.string { return nodeName(name) }
        return property.value.optionText
    }
}

extension RunningMachine.Device {
    /// The value of a property; nil if the device has no such property.
    subscript(name: String) -> JSONValue? {
        properties.first { $0.name == name }?.value
    }
}

// MARK: - Objects

extension ConfigurationReader {
    /// The properties with which an object of a type is created, with QEMU's defaults, which the option omits.
    private static let makers: [String: [String: JSONValue]] = [
        "iothread": [
            "poll-max-ns": 32768, "poll-grow": 0, "poll-shrink": 0, "aio-max-batch": 0, "thread-pool-min": 0,
            "thread-pool-max": 64,
        ],
        "memory-backend-file": [
            "size": .null, "mem-path": .null, "share": false, "align": 0, "offset": 0, "merge": true, "dump": true,
            "policy": "default", "reserve": true, "readonly": false, "pmem": false,
            "x-use-canonical-path-for-ramblock-id": false,
        ],
        "memory-backend-ram": ["size": .null, "share": false],
        "memory-backend-memfd": ["size": .null, "share": true],
        "rng-random": ["filename": "/dev/urandom"],
        "rng-builtin": [:],
        "can-bus": [:],
        "tls-creds-anon": ["dir": .null, "endpoint": "client", "verify-peer": true, "priority": ""],
        "tls-creds-x509": [
            "dir": .null, "endpoint": "client", "verify-peer": true, "priority": "", "sanity-check": true,
        ],
        "authz-simple": ["identity": .null],
        "throttle-group": [:],
    ]

    /// Reads objects that were added by `object-add` or removed by `object-del`.
    mutating func readObjects() {
        let given = ids(of: "object")
        let running = Set(machine.objects.map(\.id))
        remove(.object, given.subtracting(running))
        for object in machine.objects where !given.contains(object.id) {
            // QEMU creates the memory of plain -m itself.
            if object.type.hasPrefix("memory-backend-"), isOwnMemory(object.id) { continue }
            addObject(object)
        }
    }

    /// Returns whether QEMU created the backend for `-m`, rather than an administrator.
    private func isOwnMemory(_ id: String) -> Bool {
        let line = result.commandLine
        let isNamed = line.options(named: "machine").contains { $0.properties?["memory-backend"] != nil }
        let isUsed = machine.devices.contains { device in
            device.properties.contains { $0.value.string == "/objects/\(id)" }
        }
        return !isNamed && !isUsed && (id.contains(".ram") || id == "ram")
    }

    private mutating func addObject(_ object: RunningMachine.Object) {
        guard let maker = Self.makers[object.type] else {
            return refuse(
                "object \(object.id) (\(object.type))", "QEMU does not report how an object of this kind was created")
        }
        var pairs = [(key: "qom-type", value: object.type), (key: "id", value: object.id)]
        for (name, usual) in maker.sorted(by: { $0.key < $1.key }) {
            guard let value = object.properties[name], value != usual, let text = value.optionText, !text.isEmpty else {
                continue
            }
            pairs.append((name, text))
        }
        if object.type == "throttle-group" {
            for (name, value) in (object.properties["limits"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
                guard let limit = value.integer, limit != (name.hasSuffix("-max-length") ? 1 : 0) else { continue }
                pairs.append(("x-\(name)", "\(limit)"))
            }
        }
        add("object", pairs, impliedKey: "qom-type")
    }
}

extension JSONValue {
    /// The value as QEMU accepts it in a list of options; nil if it has no such form.
    var optionText: String? {
        switch self {
        case .bool(let isOn): isOn ? "on" : "off"
        case .integer(let number): "\(number)"
        case .unsigned(let number): "\(number)"
        case .string(let text): text
        case .null, .number, .array, .object: nil
        }
    }
}

// MARK: - Chardevs

extension ConfigurationReader {
    /// Reads character devices that were added by `chardev-add` or removed by `chardev-remove`.
    mutating func readChardevs() {
        let given = ids(of: "chardev")
        remove(.chardev, given.subtracting(machine.chardevs.map(\.label)))
        for chardev in machine.chardevs where !given.contains(chardev.label) && !isNamedByQEMU(chardev: chardev.label) {
            addChardev(chardev)
        }
    }

    /// Whether an option such as `-serial` or `-qmp` created it; QEMU generates the names of those.
    private func isNamedByQEMU(chardev label: String) -> Bool {
        let numbered = ["compat_monitor", "serial", "parallel", "virtcon", "vc", "usbserial", "braille", "xencons"]
        if numbered.contains(where: { label.hasPrefix($0) && label.dropFirst($0.count).allSatisfy(\.isNumber) }) {
            return true
        }
        // The lower half of a multiplexer is named after its upper half.
        return ["gdb", "debugcon", "qtest", "seamless-vdagent"].contains(label) || label.hasSuffix("-base")
    }

    private mutating func addChardev(_ chardev: RunningMachine.Chardev) {
        let kind = chardev.type.map { $0.hasPrefix("chardev-") ? String($0.dropFirst("chardev-".count)) : $0 } ?? ""
        switch kind {
        case "socket": addSocket(chardev)
        case "pty", "null", "ringbuf", "stdio", "vc":
            add("chardev", [("backend", kind), ("id", chardev.label)], impliedKey: "backend")
        default:
            refuse(
                "chardev \(chardev.label) (\(kind.isEmpty ? chardev.filename : kind))",
                "QEMU does not report where it leads")
        }
    }

    /// Adds `disconnected:unix:/run/x.sock,server=on`, `telnet:127.0.0.1:4555,server=on`, `tcp:HOST:PORT <-> PEER`.
    private mutating func addSocket(_ chardev: RunningMachine.Chardev) {
        var rest = Substring(chardev.filename)
        if rest.hasPrefix("disconnected:") { rest = rest.dropFirst("disconnected:".count) }
        let isServer = rest.contains(",server=on") || rest.contains(",server")
        guard let colon = rest.firstIndex(of: ":") else {
            return refuse("chardev \(chardev.label) (socket)", "QEMU reports it as “\(chardev.filename)”")
        }
        let scheme = rest[..<colon]
        let address = rest[rest.index(after: colon)...].prefix { $0 != "," && $0 != " " }
        var pairs = [(key: "backend", value: "socket"), (key: "id", value: chardev.label)]
        switch scheme {
        case "unix":
            pairs.append(("path", String(address)))
        case "tcp", "telnet", "websocket":
            guard let split = address.lastIndex(of: ":") else { break }
            pairs.append(("host", String(address[..<split].drop { $0 == "[" }.prefix { $0 != "]" })))
            pairs.append(("port", String(address[address.index(after: split)...])))
            if scheme != "tcp" { pairs.append((String(scheme), "on")) }
        default:
            return refuse("chardev \(chardev.label) (\(scheme))", "QEMU does not report how it was created")
        }
        if isServer { pairs += [("server", "on"), ("wait", "off")] }
        add("chardev", pairs, impliedKey: "backend")
        result.assumptions.append(
            "chardev \(chardev.label): reconnect, log file and TLS cannot be read back and are off")
    }
}

// MARK: - Networks

extension ConfigurationReader {
    /// Reads network back ends that were added by `netdev_add` or removed by `netdev_del`.
    mutating func readNetworks() {
        let given = ids(of: "netdev", "nic", "net")
        remove(.netdev, ids(of: "netdev").subtracting(machine.network.backends.map(\.id)))
        // QEMU generates the names of back ends from -nic and -net without an id.
        let added = machine.network.backends.filter { !given.contains($0.id) && !$0.id.hasPrefix("#") }
        for backend in added where !isNamedByQEMU(netdev: backend.id) {
            switch backend.type {
            case "tap": addTap(backend)
            case "user": addUser(backend)
            default: refuse("netdev \(backend.id) (\(backend.type))", "QEMU does not report how it was created")
            }
        }
    }

    private func isNamedByQEMU(netdev id: String) -> Bool {
        id.hasPrefix("__org.qemu.nic") || (id.hasPrefix("hub") && id.contains("port"))
            || ["user.", "tap.", "bridge.", "socket."].contains { id.hasPrefix($0) }
    }

    /// Adds a tap: by its interface if QEMU opened it, by its descriptor's number if QEMU received it.
    private mutating func addTap(_ backend: NetworkInfo.Backend) {
        var pairs = [(key: "type", value: "tap"), (key: "id", value: backend.id)]
        if let interface = backend.details["ifname"] {
            pairs += [("ifname", interface), ("script", "no"), ("downscript", "no")]
            if backend.queues > 1 { pairs.append(("queues", "\(backend.queues)")) }
        } else if let number = backend.details["fd"], backend.queues == 1 {
            pairs.append(("fd", number))
        } else {
            return refuse("netdev \(backend.id) (tap)", "QEMU does not report which tap descriptors are its queues")
        }
        if usesVhost(backend) { pairs.append(("vhost", "on")) }
        add("netdev", pairs, impliedKey: "type")
    }

    /// Returns whether the back end uses vhost.
    ///
    /// Each queue with vhost has /dev/vhost-net open; those that the command line does not account for belong to added
    /// back ends.
    private mutating func usesVhost(_ backend: NetworkInfo.Backend) -> Bool {
        let given = result.commandLine.options(named: "netdev").compactMap(\.properties).filter {
            $0.flag("vhost") == true || $0["vhostfd"] != nil || $0["vhostfds"] != nil
        }
        let spare = machine.vhostNetCount - given.reduce(0) { $0 + TapQueues.count(in: $1) }
        guard spare > 0 else { return false }
        if spare < backend.queues { result.assumptions.append("netdev \(backend.id): vhost is assumed to be on") }
        return true
    }

    private mutating func addUser(_ backend: NetworkInfo.Backend) {
        var pairs = [(key: "type", value: "user"), (key: "id", value: backend.id)]
        if let net = backend.details["net"], net != "10.0.2.0" { pairs.append(("net", net + "/24")) }
        if backend.details["restrict"] == "on" { pairs.append(("restrict", "on")) }
        pairs += (machine.hostForwards[backend.id] ?? []).map { ("hostfwd", $0) }
        add("netdev", pairs, impliedKey: "type")
        result.assumptions.append(
            "netdev \(backend.id): only IPv4 network, restrict and forwarded ports of a user network can be read back"
        )
    }
}
