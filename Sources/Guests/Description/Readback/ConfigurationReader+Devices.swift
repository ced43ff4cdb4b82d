internal import JSON
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
