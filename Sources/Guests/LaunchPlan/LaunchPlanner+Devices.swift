internal import QEMUCommandLine

extension LaunchPlanner {
    /// Plans `-device`, `-fsdev`, `-virtfs` and `-tpmdev`.
    mutating func device(_ option: CommandLineOption) -> CommandLineOption {
        guard let properties = option.properties else { return option }
        switch option.name {
        case "tpmdev":
            if properties["type"] == "emulator" { refuseHelper(option, "swtpm serves only one QEMU.") }
        case "fsdev", "virtfs":
            if properties["fsdriver"] == "proxy" { refuseHelper(option, "virtfs-proxy-helper serves only one QEMU.") }
        default:
            refuseExclusive(option, properties["driver"] ?? "", properties)
            return withIdentity(option, properties)
        }
        return option
    }

    /// Returns the option with the values that the old QEMU generated for the device at its start.
    private func withIdentity(_ option: CommandLineOption, _ old: OptionProperties) -> CommandLineOption {
        var properties = old
        if properties["driver"] == "vmgenid", let id = facts.generationID {
            properties.set("guid", id)
        } else if properties["mac"] == nil, let address = properties["id"].flatMap({ facts.hardwareAddresses[$0] }) {
            properties.set("mac", address)
        }
        return properties == old ? option : option.with(properties)
    }

    /// Refuses devices of the host that two QEMUs cannot both have open.
    private mutating func refuseExclusive(
        _ option: CommandLineOption,
        _ driver: String,
        _ properties: OptionProperties
    ) {
        if driver.hasPrefix("vhost-user-") {
            refuseHelper(option, "A vhost-user back end serves only one QEMU.")
        } else if driver.hasPrefix("vhost-vsock") {
            refuseDevice(option, "The kernel gives a guest-cid to only one process.")
        } else if driver.hasPrefix("vhost-scsi") || driver.hasPrefix("vhost-vdpa") {
            refuseDevice(option, "The kernel's vhost target belongs to only one process.")
        } else if properties["fd"] != nil || properties["vhostfd"] != nil {
            refuseDevice(option, "The device was opened for the old QEMU and belongs to it.")
        }
    }

    /// Plans `-snapshot`, `-drive` and `-blockdev`.
    mutating func storage(_ option: CommandLineOption) -> [CommandLineOption] {
        let properties = option.properties
        if option.name == "snapshot" || properties?.flag("snapshot") == true {
            refuse(
                .snapshotMode,
                option,
                "The guest's writes go to a temporary file that only the old QEMU can see.",
                remedy: "Commit them (commit all, in the human monitor) and restart the guest without snapshot mode."
            )
        }
        let file = properties?["file"] ?? properties?["filename"] ?? ""
        let isWritableFAT = properties?["driver"] == "vvfat" && properties?.flag("rw") == true
        if isWritableFAT || (file.hasPrefix("fat:") && file.contains("rw:")) {
            refuse(
                .migrationBlocked,
                option,
                "QEMU keeps the changes to a writable vvfat directory in its own memory.",
                remedy: "Share the directory read-only, or use another file system."
            )
        }
        return [option]
    }
}

// MARK: - Machine

extension LaunchPlanner {
    /// Plans `-machine`: names the running type, because an alias such as `q35` denotes another type in another QEMU.
    mutating func machine(_ option: CommandLineOption) -> CommandLineOption {
        guard var properties = option.properties, let type = properties["type"] else { return option }
        guard let running = facts.machineType else {
            if !LaunchPlanner.isVersioned(type) { refuseMachine(option) }
            return option
        }
        // Proxmox appends its own version, which its QEMU removes again: `pc-i440fx-9.2+pve1`.
        let suffix = type.drop { $0 != "+" }
        guard type.dropLast(suffix.count) != running else { return option }
        properties.set("type", running + suffix)
        return option.with(properties)
    }

    /// Returns the `-machine` option to add if none names the type.
    mutating func missingMachine(_ options: [CommandLineOption]) -> [CommandLineOption] {
        let machines = options.filter { $0.name == "machine" || $0.name == "M" }
        if machines.contains(where: { $0.properties?["type"] != nil }) { return [] }
        guard let running = facts.machineType else {
            refuseMachine(nil)
            return []
        }
        return [CommandLineOption("machine", running)]
    }

    /// Returns the accelerators to name, because QEMU chooses by its own name: one that ends in `kvm` tries KVM first.
    func missingAccelerators(_ commandLine: CommandLine) -> [CommandLineOption] {
        let prefersKVM = commandLine.executable.hasSuffix("kvm")
        let isNamed =
            commandLine.contains("accel") || commandLine.contains("enable-kvm")
            || commandLine.options(named: "machine").contains { $0.properties?["accel"] != nil }
        guard !isNamed, prefersKVM != target.path.hasSuffix("kvm") else { return [] }
        let order = prefersKVM ? ["kvm", "tcg"] : ["tcg", "kvm"]
        return order.map { CommandLineOption("accel", $0) }
    }

    private mutating func refuseMachine(_ option: CommandLineOption?) {
        refuse(
            .machineTypeUnknown,
            option,
            "The running versioned machine type is not known.",
            remedy: "Let hyperfresh query QMP (qom-get /machine type), or start the guest with a versioned type."
        )
    }

    /// Returns whether a type's name contains a version, or the type has no versions.
    private static func isVersioned(_ type: String) -> Bool {
        if ["none", "microvm", "isapc"].contains(type) { return true }
        let type = type.prefix { $0 != "+" }
        guard let version = type.split(separator: "-").last, type.contains("-") else { return false }
        let numbers = version.split(separator: ".")
        return numbers.count > 1 && numbers.dropFirst().allSatisfy { $0.allSatisfy(\.isNumber) }
    }
}

// MARK: - Memory

extension LaunchPlanner {
    /// Plans `-object`.
    mutating func object(_ option: CommandLineOption) -> CommandLineOption {
        guard let properties = option.properties, let type = properties["qom-type"] else { return option }
        if type.hasPrefix("memory-backend-") { return memoryBackend(option, properties, type) }
        if type == "vhost-user-backend" || type == "cryptodev-vhost-user" {
            refuseHelper(option, "A vhost-user back end serves only one QEMU.")
        } else if properties["fd"] != nil {
            return takeAlong("fd", of: option)
        }
        return option
    }

    /// Plans the guest's RAM: the new QEMU maps the same file and must not write to it before the switch.
    private mutating func memoryBackend(
        _ option: CommandLineOption,
        _ old: OptionProperties,
        _ type: String
    ) -> CommandLineOption {
        if type != "memory-backend-file" {
            let isShared = old.flag("share") ?? (type == "memory-backend-memfd")
            refuseMemory(
                isShared ? .ramNotNamedFile : .ramNotShared,
                option,
                isShared ? "This memory is shared but has no name in the file system." : "This memory is private."
            )
        } else if old.flag("share") != true {
            refuseMemory(.ramNotShared, option, "This memory is a private copy of its file.")
        }
        var properties = old
        for key in ["prealloc", "discard-data"] where old.flag(key) == true { properties.set(key, flag: false) }
        return properties == old ? option : option.with(properties)
    }

    /// Refuses a command line whose machine has no memory backend.
    mutating func checkMemory(_ options: [CommandLineOption]) {
        let machines = options.filter { $0.name == "machine" || $0.name == "M" }.compactMap(\.properties)
        if machines.contains(where: { $0["memory-backend"] != nil || $0["type"] == "none" }) { return }
        let nodes = options.filter { $0.name == "numa" }.compactMap(\.properties)
        if nodes.contains(where: { $0["memdev"] != nil }) { return }
        let path = options.first { $0.name == "mem-path" }
        refuseMemory(.ramNotShared, path, "The guest's RAM is private to the old QEMU.")
    }

    private mutating func refuseMemory(_ finding: FindingID, _ option: CommandLineOption?, _ message: String) {
        refuse(
            finding,
            option,
            message,
            remedy: "Start the guest with -object memory-backend-file,id=ram0,size=SIZE,mem-path=FILE,share=on and "
                + "-machine memory-backend=ram0, or migrate it once to a QEMU started with these options."
        )
    }
}

// MARK: - Display

extension LaunchPlanner {
    /// Plans `-vnc`.
    ///
    /// A unix socket gets a temporary name. On TCP the new server starts without an address, with all other settings,
    /// and gets the old one's listening sockets after the switch.
    mutating func vnc(_ option: CommandLineOption) -> CommandLineOption {
        guard let old = option.properties else { return option }
        let index = vncDisplays
        vncDisplays += 1
        if old.flag("reverse") == true { return option }
        let id = old["id"] ?? (index == 0 ? "default" : "vnc\(index + 1)")
        let addresses = old.values(of: "vnc")
        let unixAddresses = addresses.filter { $0.hasPrefix("unix:") }
        let numbers = vncListeners(id, addresses: addresses, upTo: old["to"].flatMap { UInt16($0) }, option)
        let isMixed = !unixAddresses.isEmpty && !numbers.isEmpty
        if isMixed || (index > 0 && !numbers.isEmpty) {
            refuseListener(option, "display-update sets all addresses at once, and only of the first display.")
        } else if !numbers.isEmpty {
            followUps.append(.vncListen(display: id, oldDescriptors: numbers))
        }
        if old["websocket"] != nil, addresses != ["none"] {
            refuseListener(option, "display-update cannot set a websocket.")
        }
        if old.flag("password") == true, old["password-secret"] == nil { warnAboutPassword(option, "VNC") }
        if addresses == ["none"] { return option }
        return option.with(vncProperties(old, isUnix: !unixAddresses.isEmpty, option))
    }

    private mutating func vncProperties(
        _ old: OptionProperties,
        isUnix: Bool,
        _ option: CommandLineOption
    ) -> OptionProperties {
        var properties = old
        guard isUnix else {
            properties.set("vnc", "none")
            properties.remove("to", "ipv4", "ipv6")
            return properties
        }
        var temporaries: [String: String] = [:]
        for address in old.values(of: "vnc") {
            temporaries[address] = "unix:" + temporarySocket(String(address.dropFirst("unix:".count)), .vnc, option)
        }
        properties.replaceValues(of: "vnc") { temporaries[$0] ?? $0 }
        return properties
    }

    /// Returns the old process's TCP sockets of a display.
    private mutating func vncListeners(
        _ id: String,
        addresses: [String],
        upTo: UInt16?,
        _ option: CommandLineOption
    ) -> [Int32] {
        let wanted: [(host: String, ports: ClosedRange<UInt16>)]
        if let servers = facts.vncServers {
            let own = servers.filter { $0.id == id }.flatMap(\.listeners)
            wanted = own.filter { !$0.isUnix && !$0.isWebSocket }.compactMap { listener in
                UInt16(listener.service).map { (host: listener.host, ports: $0...$0) }
            }
        } else {
            wanted = addresses.compactMap { LaunchPlanner.vncAddress($0, upTo: upTo) }
        }
        let found = wanted.map { listeners(host: $0.host, ports: $0.ports) }
        if found.contains(where: \.isEmpty) { refuseDescriptor(option, "of the VNC server") }
        // Two addresses may refer to one socket.
        return found.joined().reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    /// Returns `HOST:DISPLAY` as an address and its ports, which begin at 5900; nil for `none` and unix sockets.
    private static func vncAddress(_ text: String, upTo: UInt16?) -> (host: String, ports: ClosedRange<UInt16>)? {
        guard !text.hasPrefix("unix:"), let colon = text.lastIndex(of: ":"),
            let display = UInt16(text[text.index(after: colon)...]), display < UInt16.max - 5900
        else { return nil }
        let first = 5900 + display
        let last = upTo.map { max(first, 5900 + min($0, UInt16.max - 5900)) } ?? first
        return (String(text[..<colon]), first...last)
    }

    /// Plans `-display`.
    mutating func display(_ option: CommandLineOption) -> CommandLineOption {
        guard let value = option.value else { return option }
        if value.hasPrefix("vnc=") {
            let inner = vnc(CommandLineOption("vnc", String(value.dropFirst("vnc=".count))))
            return CommandLineOption(option.name, "vnc=" + (inner.value ?? ""), form: option.form)
        }
        let type = value.prefix { $0 != "," }
        if !["none", "egl-headless", "type=none"].contains(type) {
            warn(
                .endpointChanges,
                option,
                "The new QEMU opens its own display before the old one's closes.",
                remedy: "No action is needed."
            )
        }
        return option
    }

    /// Plans `-spice`.
    mutating func spice(_ option: CommandLineOption) -> CommandLineOption {
        guard var properties = option.properties else { return option }
        if properties.flag("disable-ticketing") != true, properties["password-secret"] == nil {
            warnAboutPassword(option, "SPICE")
        }
        if properties.flag("unix") == true, let path = properties["addr"] {
            properties.set("addr", temporarySocket(path, .spice, option))
            return option.with(properties)
        }
        let ports = [properties["port"], properties["tls-port"]].compactMap { $0 }
        if ports.contains(where: { $0 != "0" }) {
            refuse(
                .listenerCannotFollow,
                option,
                "SPICE can neither take over a listening TCP socket nor change its address while it runs.",
                remedy: "Start the guest with -spice unix=on,addr=PATH, or with VNC."
            )
        }
        return option
    }

    private mutating func warnAboutPassword(_ option: CommandLineOption, _ server: String) {
        warn(
            .endpointChanges,
            option,
            "The new QEMU does not know a password that was set over the monitor.",
            remedy: "Set the \(server) password again after the refresh (set_password)."
        )
    }
}
