internal import QEMUCommandLine

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
