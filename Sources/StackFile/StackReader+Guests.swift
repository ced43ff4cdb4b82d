/// The context for checking a guest's description.
struct GuestContext {
    /// The stack's name.
    let stack: String
    /// The names of all networks.
    let networks: Set<String>
    /// Whether the networks were read without problems; only then is an unknown one reported.
    let areNetworksKnown: Bool
    /// The values that must be unique in the whole stack.
    let seen = Seen()

    /// Names, addresses and disks that were read before.
    final class Seen {
        /// Hypervisors and OS VMs.
        var hypervisors = Unique()
        /// Guests and containers.
        var names = Unique()
        /// Hardware addresses of cards, and networks with the addresses of containers.
        var addresses = Unique()
        var files: [String: (line: Int, isReadOnly: Bool)] = [:]
    }
}

extension StackReader {
    /// The least memory of a guest: 16 MiB; no kernel boots with less.
    private static let leastGuestMemory: UInt64 = 16 << 20

    /// Reads the guests of a hypervisor.
    func guests(
        _ hypervisor: StackSection, context: GuestContext, hugePages: HyperplexorSpec.HugePages
    ) -> [InnerGuestSpec] {
        elements(hypervisor, "guests").compactMap { node in
            let keys = [
                "name", "memory", "cpus", "machine", "cpu-model", "boot", "console", "virtio", "disks", "networks",
                "extra-arguments",
            ]
            guard let section = section(node, of: "a guest", keys: keys) else { return nil }
            let name = tenantName(section, "guest")
            if let name, let line = context.seen.names.earlierLine(of: name, now: node.line) {
                report(
                    "guest `\(name)` is given twice; first in line \(line)", at: node,
                    remedy: "Rename one of them: a guest's name is unique within the stack.")
            }
            let disks = disks(section, context: context)
            let spec = InnerGuestSpec(
                name: name ?? "", memory: guestMemory(section, hugePages: hugePages),
                cpus: integer(section, "cpus", default: 1, in: 1...255), machine: machine(section),
                cpuModel: cpuModel(section), boot: boot(section, hasDisks: section.values["disks"] != nil),
                console: choice(section, "console", default: .serial),
                virtio: choice(section, "virtio", default: .modern), disks: disks,
                networks: cards(section, guest: name ?? "", context: context),
                extraArguments: arguments(section, owned: OwnedOptions.ofGuest))
            return name == nil ? nil : spec
        }
    }

    /// Reads the name of a guest or container; rejects those of a hypervisor's own sockets, which are in the same
    /// folder.
    func tenantName(_ section: StackSection, _ kind: String) -> String? {
        guard let name = name(section), let node = section.values["name"] else { return nil }
        guard name == "qmp" || name == "agent" else { return name }
        report(
            "a \(kind) cannot be called `\(name)`, which is reserved for one of a hypervisor's own sockets", at: node,
            remedy: "Rename the \(kind).")
        return nil
    }

    private func guestMemory(_ section: StackSection, hugePages: HyperplexorSpec.HugePages) -> UInt64 {
        let memory = memory(section, least: Self.leastGuestMemory, default: 512 << 20)
        let page = hugePages.pageSize
        let file = MemoryFileShape(memory: memory).fileSize
        guard file % page != 0 else { return memory }
        // The largest memory sizes whose files fill whole pages.
        let overhead = MemoryFileShape.infoBlockSize + MemoryFileShape.tailSize
        let counts: [UInt64] = [file / page, file / page + 1].filter { $0 > 0 }
        let choices: [String] = counts.map { Self.text($0 * page - overhead) }
        report(
            "the memory file of a guest with \(Self.text(memory)) has \(Self.text(file)), "
                + "not a multiple of \(Self.text(page))",
            at: section.values["memory"] ?? section.node,
            remedy: "Write \(choices.joined(separator: " or ")), or `huge-pages: 2M`.")
        return memory
    }

    /// Rejects aliases such as `q35`: they mean different machines in different QEMUs, which cannot load each other's
    /// state.
    private func machine(_ section: StackSection) -> String {
        let standard = "pc-q35-7.2"
        guard let machine = optional(section, "machine"), let node = section.values["machine"] else { return standard }
        for family in ["pc-q35-", "pc-i440fx-"] where machine.hasPrefix(family) {
            let version = machine.dropFirst(family.count).split(separator: ".", omittingEmptySubsequences: false)
            if (2...3).contains(version.count), version.allSatisfy({ UInt8($0) != nil }) { return machine }
        }
        report(
            "`machine: \(machine.prefix(60))` is not a machine type with a version", at: node,
            remedy: "Write one such as \(standard); the oldest QEMU that may run the guest has to support it.")
        return standard
    }

    private func cpuModel(_ section: StackSection) -> String {
        optional(section, "cpu-model") ?? "qemu64"
    }

    private func boot(_ section: StackSection, hasDisks: Bool) -> InnerGuestSpec.Boot {
        let node = section.values["boot"]
        if let node, case .mapping = node.content { return kernel(node) ?? .disk }
        let isDisk = if case .scalar("disk", _) = node?.content { true } else { node == nil }
        if !isDisk {
            report(
                "`boot` must be `disk`, or keys with values for a kernel; found \(node?.kind ?? "nothing")",
                at: node ?? section.node, remedy: "Write `boot: disk`, or `boot:` with `kernel: FILE` below it.")
        } else if !hasDisks {
            report(
                "a guest that boots from its disk needs `disks`", at: node ?? section.node,
                remedy: "Add `disks:` with its boot disk, or `boot:` with `kernel: FILE`.")
        }
        return .disk
    }

    private func kernel(_ node: YAMLTree) -> InnerGuestSpec.Boot? {
        guard let section = section(node, of: "a kernel", keys: ["kernel", "initramfs", "arguments"]) else {
            return nil
        }
        let arguments = optional(section, "arguments") ?? ""
        // The size of the kernel's buffer (COMMAND_LINE_SIZE on x86).
        if arguments.utf8.count > 2047, let node = section.values["arguments"] {
            report("a kernel takes at most 2047 bytes of arguments", at: node, remedy: "Shorten them.")
        }
        let initramfs = path(section, "initramfs")
        guard required(section, "kernel", remedy: "Add `kernel: FILE`.") != nil, let kernel = path(section, "kernel")
        else { return nil }
        return .kernel(path: kernel, initramfs: initramfs, arguments: arguments)
    }
}

// MARK: - Devices

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

// MARK: - Networks

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

// MARK: - Cards

extension StackReader {
    /// Reads the network card of a container.
    func containerCard(_ node: YAMLTree, of container: String, context: GuestContext) -> ContainerCard? {
        let keys = ["network", "address", "gateway", "mac"]
        let address = "Add `address: ADDRESS/PREFIX`, such as 10.0.0.5/24."
        guard let section = section(node, of: "a container's network", keys: keys),
            let network = required(section, "network", remedy: "Add `network: NAME`."),
            let card = card(
                network, at: section.values["network"] ?? node, mac: section.values["mac"], guest: container, index: 0,
                context: context),
            required(section, "address", remedy: address) != nil, let place = section.values["address"],
            let own = interfaceAddress(place)
        else { return nil }
        let text = own.address.text
        if let line = context.seen.addresses.earlierLine(of: "\(network)/\(text)", now: place.line) {
            report(
                "address \(text) is also that of the container of line \(line)", at: place,
                remedy: "Give each container of a network its own address.")
        }
        let router = section.values["gateway"].flatMap { gateway($0, of: own) }
        return ContainerCard(
            network: network, address: "\(text)/\(own.length)", gateway: router?.text, mac: card.mac)
    }

    /// An address and its prefix length in bits.
    private struct InterfaceAddress {
        let address: InternetAddress
        let length: Int
    }

    private func interfaceAddress(_ node: YAMLTree) -> InterfaceAddress? {
        if case .scalar(let text, _) = node.content {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
            if parts.count == 2, let address = InternetAddress(parts[0]), address.isOfOneInterface,
                let length = UInt8(parts[1]).map(Int.init), (1...address.width).contains(length)
            {
                return InterfaceAddress(address: address, length: length)
            }
        }
        report(
            "`address` must be an IPv4 or IPv6 address with the length of its prefix; found \(node.kind)", at: node,
            remedy: "Write an address such as 10.0.0.5/24 or \"fd00::5/64\".")
        return nil
    }

    private func gateway(_ node: YAMLTree, of own: InterfaceAddress) -> InternetAddress? {
        guard case .scalar(let text, _) = node.content, let gateway = InternetAddress(text), gateway.isOfOneInterface
        else {
            report(
                "`gateway` must be an IPv4 or IPv6 address; found \(node.kind)", at: node,
                remedy: "Write an address such as 10.0.0.1, or remove `gateway`: the container then reaches only the "
                    + "network itself.")
            return nil
        }
        let isNear = gateway.isLinkLocal && own.address.width == 128
        guard gateway != own.address, isNear || gateway.shares(own.length, bitsWith: own.address) else {
            report(
                "gateway \(gateway.text) cannot be reached from \(own.address.text)/\(own.length)", at: node,
                remedy: "Write another address with the same prefix.")
            return nil
        }
        return gateway
    }
}
