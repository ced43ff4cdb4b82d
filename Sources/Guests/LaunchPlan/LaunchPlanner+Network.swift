internal import QEMUCommandLine

extension LaunchPlanner {
    /// Plans `-netdev`, `-nic` and `-net`.
    mutating func network(_ option: CommandLineOption) -> CommandLineOption {
        guard let properties = option.properties else { return option }
        switch properties["type"] {
        case "tap", "bridge":
            return tap(option, properties)
        case "user":
            return user(option, properties)
        case "socket":
            return socket(option, properties)
        case "stream", "dgram":
            return stream(option, properties)
        case "vhost-user":
            refuseHelper(option, "A vhost-user back end serves only one QEMU.")
        case "passt":
            refuseHelper(option, "QEMU starts passt itself, and passt serves only one QEMU.")
        case "vhost-vdpa", "netmap", "af-xdp":
            refuseDevice(option, "The host's network device belongs to only one process.")
        default:
            break
        }
        return option
    }

    // MARK: - Tap

    /// Plans a tap with the descriptors of the old process: the interface stays up, and no script or helper runs.
    private mutating func tap(_ option: CommandLineOption, _ old: OptionProperties) -> CommandLineOption {
        guard let numbers = tapDescriptors(option, old) else { return option }
        guard numbers.count == 1, let number = numbers.first else {
            refuseQueues(option)
            return option
        }
        var properties = old
        properties.set("type", "tap")
        properties.remove("ifname", "script", "downscript", "br", "helper", "vnet_hdr", "queues", "fd", "fds")
        let role = PlannedDescriptor.Role.tap(interface: interfaceName(of: number, old))
        properties.set("fd", inherit(.oldProcess(number), as: role))
        openVhost(&properties)
        return option.with(properties)
    }

    private mutating func tapDescriptors(
        _ option: CommandLineOption,
        _ properties: OptionProperties
    ) -> [Int32]? {
        let words = TapQueues.words(in: properties)
        let numbers: [Int32]
        if let known = properties["id"].flatMap({ facts.tapDescriptors[$0] }) {
            numbers = known
        } else if !words.isEmpty {
            numbers = words.compactMap { Int32($0) }.filter { facts.descriptors[$0] != nil }
            guard numbers.count == words.count else {
                refuseDescriptor(option, words.joined(separator: ":"))
                return nil
            }
        } else {
            let count = TapQueues.count(in: properties)
            numbers = findTaps(properties)
            if TapQueues.interface(in: properties) == nil { takenUnnamedQueues += count }
            guard numbers.count == count else {
                refuseTap(option)
                return nil
            }
        }
        takenTaps.formUnion(numbers)
        return numbers
    }

    /// Returns the descriptors of a tap by its interface, or those that no other netdev can use.
    private func findTaps(_ properties: OptionProperties) -> [Int32] {
        let taps = facts.descriptors.compactMap { number, old -> (number: Int32, interface: String)? in
            guard case .tap(let interface) = old, !takenTaps.contains(number) else { return nil }
            return (number, interface)
        }
        if let wanted = TapQueues.interface(in: properties) {
            return taps.filter { $0.interface == wanted }.map(\.number).sorted()
        }
        let free = taps.filter { tap in
            !references.namedInterfaces.contains(tap.interface) && !references.namedDescriptors.contains(tap.number)
        }
        // QEMU opens them in the order of its options, so the lowest come first.
        let stillWanted = references.unnamedTapQueues - takenUnnamedQueues
        guard free.count == stillWanted else { return [] }
        return Array(free.map(\.number).sorted().prefix(TapQueues.count(in: properties)))
    }

    private func interfaceName(of number: Int32, _ properties: OptionProperties) -> String? {
        if case .tap(let interface)? = facts.descriptors[number] { return interface }
        return TapQueues.interface(in: properties)
    }

    /// Plans `vhostfd`: each QEMU needs its own /dev/vhost-net, because the kernel ties one to a process's memory.
    private mutating func openVhost(_ properties: inout OptionProperties) {
        guard properties["vhostfd"] != nil || properties["vhostfds"] != nil else { return }
        // vhostfds= belongs to fds=, vhostfd= to fd=.
        properties.remove("vhostfd", "vhostfds")
        properties.set("vhostfd", inherit(.vhostNet, as: .vhostNet))
    }

    private mutating func refuseTap(_ option: CommandLineOption) {
        refuse(
            .descriptorMissing,
            option,
            "The tap descriptors of this network cannot be distinguished from others in the old process.",
            remedy: "This cannot be fixed while the guest runs; start it with ifname= next time."
        )
    }

    /// Refuses a tap with several queues.
    ///
    /// A starting QEMU resets its devices, and a reset virtio-net detaches all queues but the first from the interface.
    /// If the guest uses the other queues, it loses them; if it does not, QEMU aborts.
    private mutating func refuseQueues(_ option: CommandLineOption) {
        refuse(
            .multiQueueTap,
            option,
            "A starting QEMU detaches all queues but the first from the tap while the guest uses them.",
            remedy: "Start the guest with one queue for this network."
        )
    }

    // MARK: - User

    /// Plans a user network: a forwarded port can be bound only after the old process has exited.
    private mutating func user(_ option: CommandLineOption, _ old: OptionProperties) -> CommandLineOption {
        let id = old["id"]
        let rules = hostForwards(of: id) ?? old.values(of: "hostfwd")
        followUps += rules.map { .hostForward(netdev: id, rule: $0) }
        if id == nil, !rules.isEmpty, references.userNetdevs > 1 {
            refuse(
                .listenerCannotFollow,
                option,
                "Forwarded ports are added after the switch, but this network has no id for that.",
                remedy: "Give each user network an id."
            )
        }
        guard old["hostfwd"] != nil || !old.values(of: "hostfwd").isEmpty else { return option }
        var properties = old
        properties.remove("hostfwd")
        return option.with(properties)
    }

    private func hostForwards(of id: String?) -> [String]? {
        guard let all = facts.hostForwards else { return nil }
        if let id { return all[id] ?? [] }
        return all.count == 1 ? all.values.first : nil
    }

    // MARK: - Sockets

    private mutating func socket(_ option: CommandLineOption, _ properties: OptionProperties) -> CommandLineOption {
        if properties["listen"] != nil {
            refuseListener(option, "QEMU accepts only one connection there, and the peer holds it.")
        } else if properties["fd"] != nil {
            refuseConnection(option)
        }
        return option
    }

    private mutating func stream(_ option: CommandLineOption, _ old: OptionProperties) -> CommandLineOption {
        if old["addr.type"] == "fd" || old["local.type"] == "fd" {
            refuseConnection(option)
        } else if old["local.type"] == "unix" {
            refuseListener(option, "The peer sends to the path to which the old QEMU is bound.")
        } else if old.flag("server") == true {
            guard old["addr.type"] == "unix", let path = old["addr.path"] else {
                refuseListener(option, "A network back end cannot take over a listening socket.")
                return option
            }
            var properties = old
            properties.set("addr.path", temporarySocket(path, .netdev, option))
            return option.with(properties)
        }
        var properties = old
        translateReconnect(&properties)
        return properties == old ? option : option.with(properties)
    }

    private mutating func refuseConnection(_ option: CommandLineOption) {
        refuse(
            .connectionCannotFollow,
            option,
            "The descriptor is a connected socket, which two processes cannot read without losing packets.",
            remedy: "Connect by address, so that the new QEMU can reconnect."
        )
    }

    // MARK: - Refusals shared with devices

    mutating func refuseHelper(_ option: CommandLineOption, _ reason: String) {
        refuse(
            .helperCannotFollow,
            option,
            reason,
            remedy: "Unplug the device before the refresh and plug it in again later, or start the guest without it."
        )
    }

    mutating func refuseDevice(_ option: CommandLineOption, _ reason: String) {
        refuse(
            .deviceCannotFollow,
            option,
            reason,
            remedy: "Unplug the device before the refresh and plug it in again later, or start the guest without it."
        )
    }
}
