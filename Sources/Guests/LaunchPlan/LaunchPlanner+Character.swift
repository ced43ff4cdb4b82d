internal import QEMUCommandLine

extension LaunchPlanner {
    /// Plans `-chardev`.
    mutating func characterDevice(_ option: CommandLineOption) -> CommandLineOption {
        guard var properties = option.properties else { return option }
        let before = properties
        settle(&properties, references.characterKinds[properties["id"] ?? ""] ?? .chardev, option)
        guard properties != before else { return option }
        return option.with(properties)
    }

    /// Plans `-serial`, `-parallel`, `-debugcon`, `-monitor`, `-qmp`, `-qmp-pretty` and `-gdb`.
    mutating func characterPort(_ option: CommandLineOption) -> [CommandLineOption] {
        guard let value = option.value else { return [option] }
        let id = deviceID(of: option.name, value)
        guard var character = CharacterText(parsing: value) else { return [option] }
        if option.name == "gdb", value.hasPrefix("tcp:") {
            // gdbserver_start() adds these itself.
            character.properties.set("server", flag: true)
            character.properties.set("nodelay", flag: true)
        }
        let before = character.properties
        settle(&character.properties, kind(of: option.name), option)
        guard character.properties != before else { return [option] }
        if character.properties["backend"] == "socket", character.properties["path"] != nil {
            return [CommandLineOption(option.name, character.unixText, form: option.form)]
        }
        return longForm(option, character, id: id)
    }

    /// Returns the same port with a `-chardev` that has the id QEMU gives to a short form's device.
    private func longForm(
        _ option: CommandLineOption,
        _ character: CharacterText,
        id: String
    ) -> [CommandLineOption] {
        let backend = (key: "backend", value: character.properties["backend"] ?? "")
        var pairs = [backend, (key: "id", value: id)]
        pairs += character.properties.pairs.filter { $0.key != "backend" }
        if character.sharesMonitor { pairs.append((key: "mux", value: "on")) }
        var options = [
            CommandLineOption("chardev", properties: OptionProperties(pairs, impliedKey: "backend")),
            CommandLineOption(option.name, "chardev:\(id)", form: option.form),
        ]
        if character.sharesMonitor {
            options.append(CommandLineOption("mon", "chardev=\(id),mode=readline"))
        }
        return options
    }

    /// Returns the id that QEMU gives to a short form's device, such as `serial0` and `compat_monitor1`.
    private mutating func deviceID(of name: String, _ value: String) -> String {
        switch name {
        case "monitor" where value.hasPrefix("none"):
            return "none"
        case "monitor", "qmp", "qmp-pretty":
            return "compat_monitor\(nextIndex("monitor"))"
        case "debugcon", "gdb":
            return name
        default:
            return "\(name)\(nextIndex(name))"
        }
    }

    private mutating func nextIndex(_ kind: String) -> Int {
        let index = portCounts[kind, default: 0]
        portCounts[kind] = index + 1
        return index
    }

    private func kind(of name: String) -> Endpoint.Kind {
        switch name {
        case "qmp", "qmp-pretty": .qmp
        case "monitor": .monitor
        default: .chardev
        }
    }

    /// Changes a character device so that it can exist at the same time as the old one.
    private mutating func settle(
        _ properties: inout OptionProperties,
        _ kind: Endpoint.Kind,
        _ option: CommandLineOption
    ) {
        if properties["logfile"] != nil, properties.flag("logappend") != true {
            properties.set("logappend", flag: true)
        }
        switch properties["backend"] {
        case "socket":
            settleSocket(&properties, kind, option)
        case "file":
            if properties.flag("append") != true { properties.set("append", flag: true) }
        case "pty":
            if let path = properties["path"] {
                addEndpoint(kind, path)
                properties.set("path", LastingPath.temporary(path, handoffID: handoffID))
            }
            warn(
                .endpointChanges,
                option,
                "The new QEMU opens its own pseudo-terminal, with another name in /dev/pts.",
                remedy: "After the refresh, look up its name with query-chardev and reopen it."
            )
        default:
            break
        }
    }

    private mutating func settleSocket(
        _ properties: inout OptionProperties,
        _ kind: Endpoint.Kind,
        _ option: CommandLineOption
    ) {
        if properties["fd"] != nil {
            settleSocketDescriptor(&properties, kind, option)
        } else if properties.flag("server") != true {
            // A client: the new QEMU connects as the old one did.
            translateReconnect(&properties)
        } else if let path = properties["path"] {
            if properties.flag("abstract") == true {
                refuseListener(option, "A socket in the abstract namespace has no file to rename.")
            }
            properties.set("path", temporarySocket(path, kind, option))
            listenWithoutWaiting(&properties)
        } else if let port = properties["port"] {
            takeListener(host: properties["host"] ?? "", port: port, &properties, option)
        }
    }

    /// Plans `-chardev socket,fd=N`: libvirt opens the listening sockets itself.
    private mutating func settleSocketDescriptor(
        _ properties: inout OptionProperties,
        _ kind: Endpoint.Kind,
        _ option: CommandLineOption
    ) {
        guard let number = properties["fd"].flatMap({ Int32($0) }), let old = facts.descriptors[number] else {
            refuseDescriptor(option, properties["fd"] ?? "")
            return
        }
        switch old {
        case .unixListener(let path):
            properties.remove("fd")
            properties.set("path", temporarySocket(path, kind, option))
            listenWithoutWaiting(&properties)
        case .tcpListener:
            properties.set("fd", inherit(.oldProcess(number), as: .listener))
            listenWithoutWaiting(&properties)
        default:
            refuse(
                .connectionCannotFollow,
                option,
                "The descriptor is a connected socket, which two processes cannot read without losing bytes.",
                remedy: "Give the character device a path to listen on or to connect to."
            )
        }
    }

    /// Makes the new QEMU listen on the old one's TCP socket.
    private mutating func takeListener(
        host: String,
        port: String,
        _ properties: inout OptionProperties,
        _ option: CommandLineOption
    ) {
        let ports = UInt16(port).map { $0...$0 }
        let upTo = properties["to"].flatMap { UInt16($0) }
        let range = ports.map { $0.lowerBound...max($0.lowerBound, upTo ?? 0) }
        let numbers = range.map { listeners(host: host, ports: $0) } ?? []
        guard let number = numbers.first else {
            refuse(
                .descriptorMissing,
                option,
                "The old QEMU has no socket that listens on port \(port).",
                remedy: "Give the port as a number. If another program has taken over the port, remove the option."
            )
            return
        }
        if numbers.count > 1 {
            warn(
                .endpointChanges,
                option,
                "The old QEMU listens on several addresses; a character device can take over one of them.",
                remedy: "Connect to \(addressText(of: number)) after the refresh."
            )
        }
        properties.remove("host", "port", "to", "ipv4", "ipv6")
        properties.set("fd", inherit(.oldProcess(number), as: .listener))
        listenWithoutWaiting(&properties)
    }

    /// A QEMU that waits for a client before it starts would never answer on its monitor.
    private func listenWithoutWaiting(_ properties: inout OptionProperties) {
        properties.set("server", flag: true)
        properties.set("wait", flag: false)
    }
}

// MARK: - Descriptors

extension LaunchPlanner {
    /// Returns the old process's sockets that listen on one of the ports; only those with this exact address if there
    /// are any.
    func listeners(host: String, ports: ClosedRange<UInt16>) -> [Int32] {
        let address = host.hasPrefix("[") ? String(host.dropFirst().prefix { $0 != "]" }) : host
        var all: [Int32] = []
        var exact: [Int32] = []
        for (number, old) in facts.descriptors.sorted(by: { $0.key < $1.key }) {
            guard case .tcpListener(let bound, let port) = old, ports.contains(port) else { continue }
            all.append(number)
            if bound == address { exact.append(number) }
        }
        return exact.isEmpty ? all : exact
    }

    /// Returns the address of a listening socket, for a message.
    func addressText(of number: Int32) -> String {
        guard case .tcpListener(let address, let port)? = facts.descriptors[number] else { return "its port" }
        return address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }

    mutating func refuseListener(_ option: CommandLineOption, _ reason: String) {
        refuse(
            .listenerCannotFollow,
            option,
            "The new QEMU cannot listen there while the old one does. \(reason)",
            remedy: "Start the guest with a unix socket on a path, or without this listener."
        )
    }

    mutating func refuseDescriptor(_ option: CommandLineOption, _ number: String) {
        refuse(
            .descriptorMissing,
            option,
            "Descriptor \(number) does not exist in the old process.",
            remedy: "This cannot be fixed while the guest runs; report it with the command line."
        )
    }

    /// Passes on a descriptor that an option names by number.
    mutating func takeAlong(_ key: String, of option: CommandLineOption) -> CommandLineOption {
        guard var properties = option.properties, let text = properties[key] else { return option }
        guard let number = Int32(text), facts.descriptors[number] != nil else {
            refuseDescriptor(option, text)
            return option
        }
        properties.set(key, inherit(.oldProcess(number), as: .other))
        return option.with(properties)
    }

    /// Returns an `-add-fd` for every descriptor in the sets that the old QEMU has now.
    ///
    /// QEMU duplicates a descriptor when it adds it to a set and closes the original, so the numbers on the command
    /// line are not those in the running process.
    mutating func fdSets(_ options: [CommandLineOption]) -> [CommandLineOption] {
        guard let sets = facts.fdSets else {
            for option in options {
                refuse(
                    .descriptorMissing,
                    option,
                    "The old QEMU did not report which descriptors are in its sets.",
                    remedy: "Let hyperfresh query its monitor (query-fdsets)."
                )
            }
            return []
        }
        return sets.flatMap { set in
            set.entries.map { entry in
                let number = inherit(.oldProcess(entry.descriptor), as: .fdSet(id: set.id))
                var pairs = [(key: "fd", value: number), (key: "set", value: String(set.id))]
                if let opaque = entry.opaque { pairs.append((key: "opaque", value: opaque)) }
                return CommandLineOption("add-fd", properties: OptionProperties(pairs))
            }
        }
    }
}

extension CommandLineOption {
    /// Returns the option with other properties, otherwise unchanged.
    func with(_ properties: OptionProperties) -> CommandLineOption {
        CommandLineOption(name, properties.text, form: form)
    }
}
