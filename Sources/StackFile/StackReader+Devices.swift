extension StackReader {
    /// Reads the disks of a guest.
    func disks(_ guest: StackSection, context: GuestContext) -> [DiskSpec] {
        var names = Unique()
        return elements(guest, "disks").compactMap { node in
            let keys = ["name", "file", "format", "read-only"]
            guard let section = section(node, of: "a disk", keys: keys) else { return nil }
            let name = diskName(section)
            if let name, let line = names.earlierLine(of: name, now: node.line) {
                report("disk `\(name)` is given twice; first in line \(line)", at: node, remedy: "Rename one of them.")
            }
            guard required(section, "file", remedy: "Add `file: PATH`, a file or block device of this host.") != nil,
                let path = path(section, "file"), let name
            else { return nil }
            let disk = DiskSpec(
                name: name, path: path, format: choice(section, "format", default: .raw),
                isReadOnly: flag(section, "read-only", default: false))
            checkSharing(disk, at: section.values["file"] ?? node, context: context)
            return disk
        }
    }

    /// Rejects the names under which a guest's kernel and initramfs are attached to its hypervisor.
    private func diskName(_ section: StackSection) -> String? {
        guard let name = name(section, limit: NameRule.diskLimit), let node = section.values["name"] else { return nil }
        guard name == "kernel" || name == "initramfs" else { return name }
        report(
            "a disk cannot be called `\(name)`, which is reserved for a guest's boot files", at: node,
            remedy: "Rename the disk.")
        return nil
    }

    /// Rejects sharing a disk with a writer: two writers destroy it, and a reader next to a writer sees inconsistent
    /// data.
    private func checkSharing(_ disk: DiskSpec, at node: YAMLTree, context: GuestContext) {
        if let earlier = context.seen.files[disk.path], !(earlier.isReadOnly && disk.isReadOnly) {
            report(
                "`\(disk.path)` is also the disk of line \(earlier.line), and one of the two may write to it", at: node,
                remedy: "Give each its own file, or make both `read-only: true`.")
        }
        if context.seen.files[disk.path] == nil { context.seen.files[disk.path] = (node.line, disk.isReadOnly) }
    }

    /// Reads the network cards of a guest.
    func cards(_ guest: StackSection, guest name: String, context: GuestContext) -> [CardSpec] {
        elements(guest, "networks").enumerated().compactMap { index, node in
            // A scalar is the network's name.
            if case .scalar = node.content {
                guard let network = text(node, "an element of `networks`") else { return nil }
                return card(network, at: node, mac: nil, guest: name, index: index, context: context)
            }
            guard let section = section(node, of: "a guest's network", keys: ["network", "mac"]),
                let network = required(section, "network", remedy: "Add `network: NAME`.")
            else { return nil }
            return card(
                network, at: section.values["network"] ?? node, mac: section.values["mac"], guest: name, index: index,
                context: context)
        }
    }

    func card(
        _ network: String, at node: YAMLTree, mac: YAMLTree?, guest: String, index: Int, context: GuestContext
    ) -> CardSpec? {
        if !context.networks.contains(network), context.areNetworksKnown {
            let known = context.networks.sorted()
            let nearest = Spelling.nearest(to: network, among: known)
            report(
                "there is no network `\(network.prefix(60))`", at: node,
                remedy: nearest.map { "Did you mean `\($0)`?" }
                    ?? (known.isEmpty ? "Add it below `networks:`." : "Networks: \(list(known))."))
        }
        var address = HardwareAddress.derived(stack: context.stack, guest: guest, index: index)
        if let mac {
            guard let text = text(mac, "`mac`"), let given = HardwareAddress.normalized(text) else {
                report(
                    "`mac` must be the hardware address of one card; found \(mac.kind)", at: mac,
                    remedy: "Write an address such as \(address), or remove `mac`: this address is the default.")
                return nil
            }
            address = given
        }
        if let line = context.seen.addresses.earlierLine(of: address, now: (mac ?? node).line) {
            report(
                "hardware address \(address) is also that of the card of line \(line)", at: mac ?? node,
                remedy: "Write another `mac`.")
        }
        return CardSpec(network: network, mac: address)
    }
}
