internal import JSON

/// The nodes of QEMU's block layer and the edges between them.
struct BlockGraph: Sendable, Hashable {
    /// A node: an image format, a file, a filter.
    struct Node: Sendable, Hashable {
        /// Its name; QEMU generates one (`#block123`) if none was given.
        var name: String
        /// `qcow2`, `raw`, `file`, and so on.
        var driver: String
        /// A plain path, a URL, or `json:` with the relevant options.
        var filename: String
        /// The file of the whole image, as in `file=` of a drive.
        var file: String
        var isReadOnly: Bool
        var isDirect: Bool
        var ignoresFlush: Bool
        var detectsZeroes: String
        var isEncrypted: Bool
        /// In bytes, as the guest sees it.
        var virtualSize: Int64
        /// Whether the image's header names a backing file.
        var namesBackingFile: Bool

        var hasOwnName: Bool { !name.hasPrefix("#") }
    }

    /// A guest device's connection to the block layer.
    struct Drive: Sendable, Hashable {
        /// The name that `-drive` gave or QEMU generated; empty for a device that refers to a node.
        var name: String
        /// The id or the path of the guest's device.
        var device: String?
        /// The topmost node; nil for an empty drive.
        var root: String?
        /// Whether a write completes for the guest before it is on the disk.
        var isWriteback: Bool
        /// The limits that are not zero, by their names in a drive's options.
        var throttling: [String: Int64]
    }

    var nodes: [String: Node] = [:]
    var drives: [Drive] = []
    /// The children of each node by the name of the edge: `file`, `backing`.
    var children: [String: [String: String]] = [:]

    init() {}

    /// Parses `query-named-block-nodes`, `query-block` and `x-debug-query-block-graph`.
    init(nodes: JSONValue, drives: JSONValue, graph: JSONValue?) {
        for node in nodes.array ?? [] {
            if let node = Self.node(node) { self.nodes[node.name] = node }
        }
        self.drives = (drives.array ?? []).map { drive in
            Drive(
                name: drive["device"]?.string ?? "", device: drive["qdev"]?.string,
                root: drive["inserted"]?["node-name"]?.string,
                isWriteback: drive["inserted"]?["cache"]?["writeback"]?.bool ?? true,
                throttling: Self.throttling(drive["inserted"] ?? .null))
        }
        children = Self.children(graph)
    }

    /// Returns nodes with all their descendants, children first, each once.
    ///
    /// A forged graph may have cycles and may be deep.
    func descent(from roots: [String]) -> [Node] {
        var found: [Node] = []
        var seen: Set<String> = []
        // When a node is taken from here for the second time, all of its children have been found.
        var rest = roots.reversed().map { (name: $0, isWhole: false) }
        while let (name, isWhole) = rest.popLast() {
            guard let node = nodes[name] else { continue }
            if isWhole {
                found.append(node)
            } else if seen.insert(name).inserted {
                rest.append((name, true))
                rest += (children[name] ?? [:]).sorted { $0.key > $1.key }.map { ($0.value, false) }
            }
        }
        return found
    }

    private static func node(_ value: JSONValue) -> Node? {
        guard let name = value["node-name"]?.string, let driver = value["drv"]?.string else { return nil }
        let image = value["image"]
        let cache = value["cache"]
        return Node(
            name: name, driver: driver, filename: image?["filename"]?.string ?? "", file: value["file"]?.string ?? "",
            isReadOnly: value["ro"]?.bool ?? false, isDirect: cache?["direct"]?.bool ?? false,
            ignoresFlush: cache?["no-flush"]?.bool ?? false,
            detectsZeroes: value["detect_zeroes"]?.string ?? "off", isEncrypted: value["encrypted"]?.bool ?? false,
            virtualSize: image?["virtual-size"]?.integer ?? 0,
            namesBackingFile: image?["backing-filename"]?.string != nil)
    }

    /// Returns the limits by their names in `-drive`.
    private static func throttling(_ value: JSONValue) -> [String: Int64] {
        let names = [
            "bps": "throttling.bps-total", "bps_rd": "throttling.bps-read", "bps_wr": "throttling.bps-write",
            "iops": "throttling.iops-total", "iops_rd": "throttling.iops-read", "iops_wr": "throttling.iops-write",
            "bps_max": "throttling.bps-total-max", "bps_rd_max": "throttling.bps-read-max",
            "bps_wr_max": "throttling.bps-write-max", "iops_max": "throttling.iops-total-max",
            "iops_rd_max": "throttling.iops-read-max", "iops_wr_max": "throttling.iops-write-max",
            "iops_size": "throttling.iops-size",
        ]
        var limits: [String: Int64] = [:]
        for (key, option) in names {
            if let limit = value[key]?.integer, limit != 0 { limits[option] = limit }
        }
        return limits
    }

    private static func children(_ graph: JSONValue?) -> [String: [String: String]] {
        var names: [Int64: String] = [:]
        for node in graph?["nodes"]?.array ?? [] where node["type"]?.string == "block-driver" {
            if let id = node["id"]?.integer { names[id] = node["name"]?.string }
        }
        var children: [String: [String: String]] = [:]
        for edge in graph?["edges"]?.array ?? [] {
            guard let parent = edge["parent"]?.integer.flatMap({ names[$0] }),
                let child = edge["child"]?.integer.flatMap({ names[$0] }), let name = edge["name"]?.string
            else { continue }
            children[parent, default: [:]][name] = child
        }
        return children
    }
}
