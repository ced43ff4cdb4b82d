internal import JSON

extension ConfigurationReader {
    /// Reads nodes that were added by `blockdev-add` or a snapshot, and drives that were added or exchanged.
    mutating func readBlocks() {
        let given = givenNodes
        remove(.blockdev, ids(of: "blockdev", key: "node-name").subtracting(machine.blocks.nodes.keys))
        freezeReadOnlyNodes()
        for name in addedNodes(given: given) {
            guard let node = machine.blocks.nodes[name] else { continue }
            addNode(node)
        }
        readDrives()
    }

    /// The node names on the command line, including nested ones (`file.node-name`).
    private var givenNodes: Set<String> {
        var names: Set<String> = []
        for option in result.commandLine.options(named: "blockdev") {
            names.formUnion(option.properties?.nodeNames ?? [])
        }
        return names
    }

    /// Returns the nodes to add, children first: named nodes, and those that a device refers to.
    private func addedNodes(given: Set<String>) -> [String] {
        let attached = machine.blocks.drives.filter { $0.name.isEmpty }.compactMap(\.root)
        let named = machine.blocks.nodes.values.filter(\.hasOwnName).map(\.name).sorted()
        let wanted = Set(named + attached).subtracting(given)
        return machine.blocks.descent(from: named + attached).map(\.name).filter(wanted.contains)
    }

    /// Marks nodes that QEMU has reopened read-only since, such as the backing file of a snapshot.
    private mutating func freezeReadOnlyNodes() {
        for (index, option) in result.commandLine.options.enumerated() where option.name == "blockdev" {
            guard var properties = option.properties, let name = properties["node-name"],
                let node = machine.blocks.nodes[name], node.isReadOnly, properties.flag("read-only") != true,
                properties.flag("auto-read-only") != true
            else { continue }
            properties.set("read-only", flag: true)
            result.commandLine.options[index].properties = properties
            result.changes.append("blockdev \(name) is read-only now")
        }
    }

    private mutating func addNode(_ node: BlockGraph.Node) {
        var seen: Set<String> = []
        switch options(of: node, below: "", &seen) {
        case .success(let pairs):
            add("blockdev", pairs, impliedKey: "driver")
            // The guest does not see these, and they do not change the data on the disk.
            result.assumptions.append("blockdev \(node.name): discard, aio and locking cannot be read back")
        case .failure(let problem):
            refuse("blockdev \(node.name) (\(node.driver))", problem.why)
        }
    }

    private struct Problem: Error {
        let why: String
    }

    private typealias Pairs = [(key: String, value: String)]

    /// The maximum number of unnamed nodes in one option.
    private static let mostNested = 64

    /// Returns the options of a node, including those of its unnamed children.
    private func options(
        of node: BlockGraph.Node, below prefix: String, _ seen: inout Set<String>
    ) -> Result<Pairs, Problem> {
        guard seen.insert(node.name).inserted, seen.count <= Self.mostNested else {
            return .failure(Problem(why: "its graph has a cycle, or is too deep"))
        }
        guard !node.isEncrypted else {
            return .failure(Problem(why: "the key of an encrypted image cannot be read back"))
        }
        var pairs: Pairs = [(prefix + "driver", node.driver)]
        if prefix.isEmpty { pairs.append(("node-name", Self.nodeName(node.name))) }
        if node.isReadOnly { pairs.append((prefix + "read-only", "on")) }
        if node.isDirect { pairs.append((prefix + "cache.direct", "on")) }
        if node.ignoresFlush { pairs.append((prefix + "cache.no-flush", "on")) }
        if node.detectsZeroes != "off" { pairs.append((prefix + "detect-zeroes", node.detectsZeroes)) }
        switch node.driver {
        case "file", "host_device", "host_cdrom":
            guard node.filename.hasPrefix("/") || !node.filename.contains(":") else {
                return .failure(Problem(why: "its options are “\(node.filename)”"))
            }
            pairs.append((prefix + "filename", node.filename))
        case "nbd":
            guard let address = Self.nbdAddress(node.filename) else {
                return .failure(Problem(why: "its address is “\(node.filename)”"))
            }
            pairs += address.map { (prefix + $0.key, $0.value) }
        case "null-co", "null-aio":
            pairs.append((prefix + "size", "\(node.virtualSize)"))
        case "qcow2", "raw", "qcow", "qed", "vdi", "vmdk", "vpc", "vhdx":
            guard !(node.driver == "raw" && node.filename.hasPrefix("json:")) else {
                return .failure(Problem(why: "it exposes only a part of its file: “\(node.filename)”"))
            }
            return addingChildren(to: pairs, of: node, below: prefix, &seen)
        default:
            return .failure(Problem(why: "QEMU does not report how a node of this kind was created"))
        }
        return .success(pairs)
    }

    private func addingChildren(
        to pairs: Pairs, of node: BlockGraph.Node, below prefix: String, _ seen: inout Set<String>
    ) -> Result<Pairs, Problem> {
        var pairs = pairs
        let children = machine.blocks.children[node.name] ?? [:]
        for (edge, name) in children.sorted(by: { $0.key < $1.key }) {
            guard let child = machine.blocks.nodes[name], edge == "file" || edge == "backing" else {
                return .failure(Problem(why: "it has a child “\(edge)” that cannot be read back"))
            }
            if child.hasOwnName {
                pairs.append((prefix + edge, child.name))
            } else if edge == "backing" && node.namesBackingFile {
                // QEMU opens it from the image's header, as it did before.
                continue
            } else {
                switch options(of: child, below: prefix + edge + ".", &seen) {
                case .success(let nested): pairs += nested
                case .failure(let problem): return .failure(problem)
                }
            }
        }
        guard children["file"] != nil else {
            return .failure(Problem(why: "QEMU does not report which file it uses"))
        }
        if children["backing"] == nil && node.namesBackingFile { pairs.append((prefix + "backing", "")) }
        return .success(pairs)
    }

    /// Returns a valid name for a node that QEMU named `#block123`, a form that users cannot give.
    static func nodeName(_ name: String) -> String {
        name.hasPrefix("#") ? "hf-" + name.dropFirst() : name
    }

    /// Converts `nbd://HOST:PORT/EXPORT` and `nbd+unix:///EXPORT?socket=PATH` to options.
    private static func nbdAddress(_ url: String) -> Pairs? {
        let socket = "nbd+unix:///"
        if url.hasPrefix(socket) {
            let parts = url.dropFirst(socket.count).split(separator: "?", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[1].hasPrefix("socket="), !url.contains("%") else { return nil }
            let path = String(parts[1].dropFirst("socket=".count))
            let export: Pairs = parts[0].isEmpty ? [] : [("export", String(parts[0]))]
            return [("server.type", "unix"), ("server.path", path)] + export
        }
        guard url.hasPrefix("nbd://"), !url.contains("?"), !url.contains("%") else { return nil }
        let parts = url.dropFirst("nbd://".count).split(separator: "/", maxSplits: 1)
        guard let colon = parts.first?.lastIndex(of: ":") else { return nil }
        let export: Pairs = parts.count > 1 ? [("export", String(parts[1]))] : []
        return [
            ("server.type", "inet"), ("server.host", String(parts[0][..<colon])),
            ("server.port", String(parts[0][parts[0].index(after: colon)...])),
        ] + export
    }
}

extension OptionProperties {
    /// The node names of a `-blockdev`, including nested ones.
    var nodeNames: [String] {
        [self["node-name"]].compactMap(\.self)
            + ["file", "backing", "file.file", "data-file"].compactMap { self["\($0).node-name"] }
    }
}
