extension StackReader {
    /// Reads the networks.
    func networks(_ stack: StackSection) -> [NetworkSpec] {
        var names = Unique()
        var carriers = Unique()
        return elements(stack, "networks").compactMap { node in
            let keys = ["name", "bridge", "segment", "queues", "vhost"]
            guard let section = section(node, of: "a network", keys: keys),
                let name = name(section, limit: NameRule.networkLimit), let kind = kind(section)
            else { return nil }
            if let line = names.earlierLine(of: name, now: node.line) {
                report(
                    "network `\(name)` is given twice; first in line \(line)", at: node, remedy: "Rename one of them.")
            }
            if let line = carriers.earlierLine(of: "\(kind)", now: node.line) {
                report(
                    "network `\(name)` uses the same bridge or segment as that of line \(line)", at: node,
                    remedy: "Let guests join one network, or give this one another bridge or port.")
            }
            let isBridge = if case .bridge = kind { true } else { false }
            let network = NetworkSpec(
                name: name, kind: kind, queues: integer(section, "queues", default: 1, in: 1...32),
                usesVhost: flag(section, "vhost", default: false))
            for (key, isUsed) in [("vhost", network.usesVhost), ("queues", network.queues > 1)]
            where isUsed && !isBridge {
                report(
                    "`\(key)` needs a `bridge`: QEMU itself implements a segment",
                    at: section.values[key] ?? node, remedy: "Remove `\(key)`, or use a bridge.")
            }
            return network
        }
    }

    private func kind(_ section: StackSection) -> NetworkSpec.Kind? {
        switch (section.values["bridge"], section.values["segment"]) {
        case (let node?, nil): return bridge(node)
        case (nil, let node?): return segment(node)
        case (nil, nil), (_?, _?):
            report(
                "a network has either a `bridge` or a `segment`", at: section.node,
                remedy: "Write `bridge: br0` for an existing bridge, or `segment: 230.0.0.1:4567`, which needs no "
                    + "privileges.")
            return nil
        }
    }

    private func bridge(_ node: YAMLTree) -> NetworkSpec.Kind? {
        guard let name = text(node, "`bridge`") else { return nil }
        // The kernel's rules for interface names.
        let isName =
            (1...15).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { $0 > 32 && $0 != 127 && !"/:,".utf8.contains($0) }
        guard isName else {
            report(
                "`bridge: \(name.prefix(60))` cannot be an interface", at: node,
                remedy: "Give an existing bridge: `ip link show type bridge` lists them.")
            return nil
        }
        return .bridge(name)
    }

    private func segment(_ node: YAMLTree) -> NetworkSpec.Kind? {
        if case .scalar(let text, _) = node.content {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            let bytes = parts[0].split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
            if parts.count == 2, bytes.count == 4, !bytes.contains(nil), let first = bytes[0],
                (224...239).contains(first), let port = Int(parts[1]), (1...65535).contains(port)
            {
                return .segment(group: String(parts[0]), port: port)
            }
        }
        report(
            "`segment` must be a multicast address with a port; found \(node.kind)", at: node,
            remedy: "Write one such as 230.0.0.1:4567 (224.0.0.0 to 239.255.255.255). Networks with the same value are "
                + "connected.")
        return nil
    }
}
