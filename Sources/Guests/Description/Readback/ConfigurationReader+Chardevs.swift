extension ConfigurationReader {
    /// Reads character devices that were added by `chardev-add` or removed by `chardev-remove`.
    mutating func readChardevs() {
        let given = ids(of: "chardev")
        remove(.chardev, given.subtracting(machine.chardevs.map(\.label)))
        for chardev in machine.chardevs where !given.contains(chardev.label) && !isMadeByQEMU(chardev.label) {
            addChardev(chardev)
        }
    }

    /// Whether an option such as `-serial` or `-qmp` created it; QEMU generates the names of those.
    private func isMadeByQEMU(_ label: String) -> Bool {
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
