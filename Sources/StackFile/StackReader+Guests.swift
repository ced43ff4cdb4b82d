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
