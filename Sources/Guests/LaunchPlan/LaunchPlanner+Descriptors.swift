extension LaunchPlanner {
    /// The old process's sockets that listen on one of the ports, the one with this very address alone if there is one.
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

    /// The address of a listening socket for a message.
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
            "Descriptor \(number) cannot be found in the old process.",
            remedy: "Nothing can be done while the guest runs; report it with the command line."
        )
    }

    /// A descriptor that an option names by number, taken along as it is.
    mutating func takeAlong(_ key: String, of option: CommandLineOption) -> CommandLineOption {
        guard var properties = option.properties, let text = properties[key] else { return option }
        guard let number = Int32(text), facts.descriptors[number] != nil else {
            refuseDescriptor(option, text)
            return option
        }
        properties.set(key, inherit(.oldProcess(number), as: .other))
        return option.with(properties)
    }

    /// `-add-fd` for every set that the old QEMU has now.
    ///
    /// QEMU duplicates a descriptor when it puts it into a set and closes the original, so the numbers of the command
    /// line say nothing about the running process.
    mutating func fdSets(_ options: [CommandLineOption]) -> [CommandLineOption] {
        guard let sets = facts.fdSets else {
            for option in options {
                refuse(
                    .descriptorMissing,
                    option,
                    "The old QEMU did not say which descriptors are in its sets.",
                    remedy: "Let hyperfresh ask its monitor (query-fdsets)."
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
    /// The option with other properties, written as it was otherwise.
    func with(_ properties: OptionProperties) -> CommandLineOption {
        CommandLineOption(name, properties.text, form: form)
    }
}
