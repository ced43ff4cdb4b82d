/// The output of the human monitor's `info network`; QMP has no such query.
///
/// A NIC has its own line, with its back end indented below; a back end without a NIC has a line without indentation:
/// ```
/// nic1: index=0,type=nic,model=virtio-net-pci,macaddr=52:54:00:11:22:33
///  \ un1: index=0,type=user,net=10.9.0.0,restrict=off
/// ```
struct NetworkInfo: Sendable, Hashable {
    /// A network back end; a tap with several queues has one line for each.
    struct Backend: Sendable, Hashable {
        var id: String
        /// `tap`, `user`, `socket` and so on.
        var type: String
        /// The remaining fields of the first queue.
        var details: [String: String]
        var queues: Int
    }

    let backends: [Backend]

    init(_ text: String) {
        var backends: [Backend] = []
        for line in text.split(whereSeparator: \.isNewline) {
            // A port of a hub precedes the back end or NIC connected to it: `h0: nic1: index=0,...`.
            var words = Self.words(line.drop { $0 == " " || $0 == "\\" })
            guard let text = words.popLast(), let id = words.popLast() else { continue }
            backends += words.map { Backend(id: String($0), type: "hubport", details: [:], queues: 1) }
            let details = Self.details(text)
            guard let type = details["type"], type != "nic" else { continue }
            if let index = backends.firstIndex(where: { $0.id == id && $0.type == type }) {
                backends[index].queues += 1
            } else {
                backends.append(Backend(id: String(id), type: type, details: details, queues: 1))
            }
        }
        self.backends = backends
    }

    private static func words(_ text: Substring) -> [Substring] {
        var words: [Substring] = []
        var rest = text
        while let colon = rest.range(of: ": ", after: rest.startIndex) {
            words.append(rest[..<colon.lowerBound])
            rest = rest[colon.upperBound...]
        }
        return words + [rest]
    }

    /// Parses `index=0,type=tap,ifname=tap0,script=no`; a part without `=` belongs to the preceding value.
    private static func details(_ text: Substring) -> [String: String] {
        var details: [String: String] = [:]
        var last: String?
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            if let mark = part.firstIndex(of: "=") {
                let key = String(part[..<mark])
                details[key] = String(part[part.index(after: mark)...])
                last = key
            } else if let last {
                details[last, default: ""] += "," + part
            }
        }
        return details
    }
}

/// The forwarded ports in the output of the human monitor's `info usernet`.
enum UserNetworkInfo {
    /// Returns the rules by netdev, in the form of `hostfwd`: `tcp:127.0.0.1:2222-10.0.2.15:22`.
    ///
    /// ```
    /// Hub -1 (un1):
    ///   Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
    ///   TCP[HOST_FORWARD]  13       127.0.0.1  2299       10.9.0.15    22     0     0
    /// ```
    static func hostForwards(_ text: String) -> [String: [String]] {
        var rules: [String: [String]] = [:]
        var netdev: String?
        for line in text.split(whereSeparator: \.isNewline) {
            if let open = line.lastIndex(of: "("), line.hasSuffix("):"), !line.hasPrefix(" ") {
                let id = String(line[line.index(after: open)...].dropLast(2))
                rules[id, default: []] += []
                netdev = id
            } else if let netdev, let rule = rule(line) {
                rules[netdev, default: []].append(rule)
            }
        }
        return rules
    }

    private static func rule(_ line: Substring) -> String? {
        let fields = line.split(separator: " ").map(String.init)
        guard fields.count >= 6, fields[0].hasSuffix("[HOST_FORWARD]") else { return nil }
        let kind = fields[0].hasPrefix("UDP") ? "udp" : "tcp"
        let source = fields[2] == "*" ? "" : fields[2]
        return "\(kind):\(source):\(fields[3])-\(fields[4]):\(fields[5])"
    }
}

/// The human monitor's `info usb`: `  Device 0.0, Port 1, Speed 480 Mb/s, Product QEMU USB Tablet, ID: ut`.
enum USBInfo {
    /// Returns the port by device id.
    static func ports(_ text: String) -> [String: String] {
        var ports: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            guard let mark = line.range(of: ", ID: ", after: line.startIndex),
                let port = line.range(of: ", Port ", after: line.startIndex)
            else { continue }
            ports[String(line[mark.upperBound...])] = String(line[port.upperBound...].prefix { $0 != "," })
        }
        return ports
    }
}
