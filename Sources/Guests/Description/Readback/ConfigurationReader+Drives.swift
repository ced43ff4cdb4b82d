internal import JSON
internal import QEMUCommandLine

extension ConfigurationReader {
    /// The options of a drive that remain when it has no medium.
    private static let emptyDriveKeys = ["if", "bus", "unit", "index", "id", "media", "werror", "rerror"]

    /// Reads drives from `-drive` and similar options that are gone, or whose image or medium was exchanged; and added
    /// ones.
    mutating func readDrives() {
        var seen: Set<String> = []
        var counters = DriveNames()
        for (index, option) in result.commandLine.options.enumerated() {
            guard let names = counters.names(of: option) else { continue }
            let drive = machine.blocks.drives.first { names.contains($0.name) && !seen.contains($0.name) }
            guard let drive else {
                if let id = option.properties?["id"] { remove(.drive, [id]) }
                continue
            }
            seen.insert(drive.name)
            follow(drive, option, at: index)
        }
        for drive in machine.blocks.drives where drive.name.isEmpty && !drive.throttling.isEmpty {
            result.assumptions.append(
                "device \(drive.device ?? "?"): the limits set at run time are lost (block_set_io_throttle)")
        }
        for drive in machine.blocks.drives where !drive.name.isEmpty && !seen.contains(drive.name) {
            if !DriveNames.isMadeByQEMU(drive.name) { addDrive(drive) }
        }
    }

    /// Replaces the recorded image with the current one, so that the device keeps its place.
    private mutating func follow(_ drive: BlockGraph.Drive, _ option: CommandLineOption, at index: Int) {
        let given = DriveNames.file(of: option)
        guard let root = drive.root.flatMap({ machine.blocks.nodes[$0] }) else {
            guard given != nil else { return }
            replace(at: index) { properties in
                let kept = Self.emptyDriveKeys.compactMap { key in properties[key].map { (key: key, value: $0) } }
                properties = OptionProperties(kept)
            }
            result.changes.append("drive \(drive.name) is empty")
            return
        }
        followLimits(drive, option, at: index)
        guard !Self.isSame(given, root.file) else { return }
        guard !root.file.hasPrefix("json:"), root.driver != "file" else {
            return refuse("drive \(drive.name)", "its image was exchanged for “\(root.file)”")
        }
        replace(at: index) { properties in
            properties.remove("driver")
            properties.set("file", root.file)
            properties.set("format", root.driver)
        }
        result.changes.append("drive \(drive.name) uses \(root.file) (\(root.driver))")
    }

    /// Follows limits set at run time; given limits may have several spellings and stay unchanged.
    private mutating func followLimits(_ drive: BlockGraph.Drive, _ option: CommandLineOption, at index: Int) {
        let text = option.value ?? ""
        let isLimited = ["iops", "bps", "throttling."].contains { text.contains($0) }
        guard !drive.throttling.isEmpty, !isLimited else { return }
        replace(at: index) { properties in
            for (key, limit) in drive.throttling.sorted(by: { $0.key < $1.key }) { properties.set(key, "\(limit)") }
        }
        result.changes.append("drive \(drive.name) is limited")
    }

    private mutating func replace(
        at index: Int, _ change: (inout OptionProperties) -> Void
    ) {
        // An earlier step may have changed it.
        let option = result.commandLine.options[index]
        var properties = option.name == "drive" ? option.properties ?? OptionProperties() : DriveNames.longForm(option)
        change(&properties)
        result.commandLine.options[index] = CommandLineOption("drive", properties: properties)
    }

    /// Returns whether the command line names this file.
    ///
    /// Compares only plain paths and takes all others as the same: QEMU formats addresses in its own way.
    private static func isSame(_ given: String?, _ file: String) -> Bool {
        guard let given else { return false }
        let bare = given.hasPrefix("file:") ? String(given.dropFirst("file:".count)) : given
        if bare == file { return true }
        let isPlain = bare.hasPrefix("/") || !bare.contains(":")
        return !isPlain
    }

    /// Adds a drive that was created in the human monitor (`drive_add`).
    private mutating func addDrive(_ drive: BlockGraph.Drive) {
        var pairs = [(key: "if", value: "none"), (key: "id", value: drive.name)]
        if let root = drive.root.flatMap({ machine.blocks.nodes[$0] }) {
            guard !root.isEncrypted else {
                return refuse("drive \(drive.name)", "the key of an encrypted image cannot be read back")
            }
            guard
                !["mirror_top", "commit_top", "backup-top", "throttle", "copy-on-read", "quorum"].contains(root.driver)
            else { return refuse("drive \(drive.name)", "a \(root.driver) filter is on top of it") }
            pairs += [("file", root.file), ("format", root.driver)]
            if root.isReadOnly { pairs.append(("readonly", "on")) }
            if root.isDirect { pairs.append(("cache.direct", "on")) }
            if root.ignoresFlush { pairs.append(("cache.no-flush", "on")) }
            if !drive.isWriteback { pairs.append(("cache.writeback", "off")) }
            if root.detectsZeroes != "off" { pairs.append(("detect-zeroes", root.detectsZeroes)) }
            pairs += drive.throttling.sorted { $0.key < $1.key }.map { ($0.key, "\($0.value)") }
        }
        add("drive", pairs)
        result.assumptions.append("drive \(drive.name): discard, aio, rerror and werror cannot be read back")
    }
}

/// The names that QEMU gives to drives without an id (`drive_new()` in blockdev.c).
struct DriveNames {
    /// The number of preceding drives of each interface.
    private var counts: [String: Int] = [:]

    /// Returns the names that the drive of an option may have; nil for an option that creates none.
    mutating func names(of option: CommandLineOption) -> [String]? {
        switch (option.name, option.form) {
        case ("drive", _):
            guard let properties = option.properties else { return nil }
            return names(properties)
        case ("hda", _), ("", .positional): return ide(0, isCD: false)
        case ("hdb", _): return ide(1, isCD: false)
        case ("hdc", _): return ide(2, isCD: false)
        case ("hdd", _): return ide(3, isCD: false)
        case ("cdrom", _): return ide(2, isCD: true)
        case ("fda", _): return ["floppy0"]
        case ("fdb", _): return ["floppy1"]
        case ("pflash", _): return next("pflash")
        case ("sd", _): return next("sd")
        case ("mtdblock", _): return next("mtd")
        default: return nil
        }
    }

    private mutating func names(_ properties: OptionProperties) -> [String] {
        let interface = properties["if"] ?? "ide"
        let index = properties["index"].flatMap { Int($0) }
        let place = index ?? counts[interface, default: 0]
        counts[interface, default: 0] = max(counts[interface, default: 0], place) + 1
        if let id = properties["id"] { return [id] }
        let isCD = properties["media"] == "cdrom"
        switch interface {
        case "ide": return ide(place, isCD: isCD)
        case "scsi": return ["scsi0-\(isCD ? "cd" : "hd")\(place)"]
        default: return ["\(interface)\(isCD ? "-cd" : "")\(place)"]
        }
    }

    private mutating func next(_ interface: String) -> [String] {
        defer { counts[interface, default: 0] += 1 }
        return ["\(interface)\(counts[interface, default: 0])"]
    }

    /// On the pc machines an IDE bus has two units, on q35 it has one; returns both names.
    private func ide(_ index: Int, isCD: Bool) -> [String] {
        let kind = isCD ? "cd" : "hd"
        return ["ide\(index / 2)-\(kind)\(index % 2)", "ide\(index)-\(kind)0"]
    }

    /// Returns whether QEMU generated the name.
    static func isMadeByQEMU(_ name: String) -> Bool {
        let kinds = ["ide", "scsi", "floppy", "pflash", "mtd", "sd", "virtio", "xen"]
        return kinds.contains { kind in
            name.hasPrefix(kind) && name.dropFirst(kind.count).first?.isNumber == true
        }
    }

    /// Returns the image that an option names; nil for an empty drive.
    static func file(of option: CommandLineOption) -> String? {
        guard option.name == "drive" else { return option.value }
        guard let properties = option.properties else { return nil }
        return properties["file"] ?? properties["file.filename"]
    }

    /// Returns the `-drive` properties that are equivalent to a short option.
    static func longForm(_ option: CommandLineOption) -> OptionProperties {
        let file = option.value ?? ""
        let pairs: [(key: String, value: String)] =
            switch option.name {
            case "hda", "": [("file", file), ("index", "0"), ("media", "disk")]
            case "hdb": [("file", file), ("index", "1"), ("media", "disk")]
            case "hdc": [("file", file), ("index", "2"), ("media", "disk")]
            case "hdd": [("file", file), ("index", "3"), ("media", "disk")]
            case "cdrom": [("file", file), ("index", "2"), ("media", "cdrom")]
            case "fda": [("file", file), ("if", "floppy"), ("index", "0")]
            case "fdb": [("file", file), ("if", "floppy"), ("index", "1")]
            default: [("file", file), ("if", option.name == "mtdblock" ? "mtd" : option.name)]
            }
        return OptionProperties(pairs)
    }
}

// MARK: - Blocks

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
