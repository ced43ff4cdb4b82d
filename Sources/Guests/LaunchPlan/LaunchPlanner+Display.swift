internal import QEMUCommandLine

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
