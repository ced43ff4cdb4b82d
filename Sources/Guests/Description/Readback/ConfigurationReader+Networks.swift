extension ConfigurationReader {
    /// Reads network back ends that were added by `netdev_add` or removed by `netdev_del`.
    mutating func readNetworks() {
        let given = ids(of: "netdev", "nic", "net")
        remove(.netdev, ids(of: "netdev").subtracting(machine.network.backends.map(\.id)))
        // QEMU generates the names of back ends from -nic and -net without an id.
        let added = machine.network.backends.filter { !given.contains($0.id) && !$0.id.hasPrefix("#") }
        for backend in added where !isMadeByQEMU(backend.id) {
            switch backend.type {
            case "tap": addTap(backend)
            case "user": addUser(backend)
            default: refuse("netdev \(backend.id) (\(backend.type))", "QEMU does not report how it was created")
            }
        }
    }

    private func isMadeByQEMU(_ id: String) -> Bool {
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
