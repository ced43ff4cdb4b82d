extension ConfigurationReader {
    /// Network back ends that were added with `netdev_add`, or removed with `netdev_del`.
    mutating func readNetworks() {
        let given = ids(of: "netdev", "nic", "net")
        remove(.netdev, ids(of: "netdev").subtracting(machine.network.backends.map(\.id)))
        // What -nic and -net without an id make has names of its own.
        let added = machine.network.backends.filter { !given.contains($0.id) && !$0.id.hasPrefix("#") }
        for backend in added where !isMadeByQEMU(backend.id) {
            switch backend.type {
            case "tap": addTap(backend)
            case "user": addUser(backend)
            default: refuse("netdev \(backend.id) (\(backend.type))", "QEMU does not tell how it was made")
            }
        }
    }

    private func isMadeByQEMU(_ id: String) -> Bool {
        id.hasPrefix("__org.qemu.nic") || (id.hasPrefix("hub") && id.contains("port"))
            || ["user.", "tap.", "bridge.", "socket."].contains { id.hasPrefix($0) }
    }

    /// A tap that QEMU opened is known by its interface, one that it was given by its descriptor's number.
    private mutating func addTap(_ backend: NetworkInfo.Backend) {
        var pairs = [(key: "type", value: "tap"), (key: "id", value: backend.id)]
        if let interface = backend.details["ifname"] {
            pairs += [("ifname", interface), ("script", "no"), ("downscript", "no")]
            if backend.queues > 1 { pairs.append(("queues", "\(backend.queues)")) }
        } else if let number = backend.details["fd"], backend.queues == 1 {
            pairs.append(("fd", number))
        } else {
            return refuse("netdev \(backend.id) (tap)", "QEMU does not tell which tap descriptors are its queues")
        }
        if usesVhost(backend) { pairs.append(("vhost", "on")) }
        add("netdev", pairs, impliedKey: "type")
    }

    /// Each queue with vhost has a /dev/vhost-net open: what the command line does not account for is the added ones'.
    private mutating func usesVhost(_ backend: NetworkInfo.Backend) -> Bool {
        let given = result.commandLine.options(named: "netdev").compactMap(\.properties).filter {
            $0.flag("vhost") == true || $0["vhostfd"] != nil || $0["vhostfds"] != nil
        }
        let spare = machine.vhostNetCount - given.reduce(0) { $0 + TapQueues.count(in: $1) }
        guard spare > 0 else { return false }
        if spare < backend.queues { result.assumptions.append("netdev \(backend.id): whether vhost is on is a guess") }
        return true
    }

    private mutating func addUser(_ backend: NetworkInfo.Backend) {
        var pairs = [(key: "type", value: "user"), (key: "id", value: backend.id)]
        if let net = backend.details["net"], net != "10.0.2.0" { pairs.append(("net", net + "/24")) }
        if backend.details["restrict"] == "on" { pairs.append(("restrict", "on")) }
        pairs += (machine.hostForwards[backend.id] ?? []).map { ("hostfwd", $0) }
        add("netdev", pairs, impliedKey: "type")
        result.assumptions.append(
            "netdev \(backend.id): of a user network only its IPv4 network, restrict and forwarded ports can be read back"
        )
    }
}
