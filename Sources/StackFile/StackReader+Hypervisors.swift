extension StackReader {
    /// The least memory of a hypervisor: 256 MiB, which its Debian system needs.
    static let leastHypervisorMemory: UInt64 = 256 << 20
    /// The most guests of a hypervisor, spare ones included: each needs a port on one virtio-serial device, which has
    /// 31.
    static let guestLimit = 28

    /// Reads the hypervisors.
    func hypervisors(_ stack: StackSection, context: GuestContext, hyperplexor: HyperplexorSpec) -> [HypervisorSpec] {
        var functions = Unique()
        return elements(stack, "hypervisors").compactMap { node in
            guard let hypervisor = hypervisor(node, context: context, hyperplexor: hyperplexor) else { return nil }
            if let line = context.seen.hypervisors.earlierLine(of: hypervisor.name, now: node.line) {
                report(
                    "hypervisor `\(hypervisor.name)` is given twice; first in line \(line)", at: node,
                    remedy: "Rename one of them.")
            }
            for function in hypervisor.functions {
                guard let line = functions.earlierLine(of: function, now: node.line) else { continue }
                report(
                    "function `\(function)` is given twice; first to the hypervisor of line \(line)", at: node,
                    remedy: "Give each function to one hypervisor.")
            }
            return hypervisor
        }
    }

    private func hypervisor(
        _ node: YAMLTree, context: GuestContext, hyperplexor: HyperplexorSpec
    ) -> HypervisorSpec? {
        let keys = [
            "name", "image", "memory", "cpus", "spare-guests", "keep-cores", "halt-polling", "functions",
            "extra-arguments", "guests",
        ]
        guard let section = section(node, of: "a hypervisor", keys: keys) else { return nil }
        let name = name(section)
        var spec = HypervisorSpec(
            name: name ?? "", image: image(section),
            memory: memory(section, least: Self.leastHypervisorMemory, default: 1 << 30),
            cpus: integer(section, "cpus", default: 2, in: 1...255), guests: [],
            spareGuests: integer(section, "spare-guests", default: 1, in: 0...Self.guestLimit),
            keepsCores: flag(section, "keep-cores", default: false), haltPolling: haltPolling(section),
            functions: functions(section, accelerator: hyperplexor.accelerator),
            extraArguments: arguments(section, owned: OwnedOptions.ofHypervisor))
        spec.guests = guests(section, context: context, hugePages: hyperplexor.hugePages)
        checkRoom(spec, accelerator: hyperplexor.accelerator, at: section)
        checkKeptCores(spec, hyperplexor, at: section)
        return name == nil ? nil : spec
    }

    /// Requires `cores` for `keep-cores`.
    func checkKeptCores(_ spec: HypervisorSpec, _ hyperplexor: HyperplexorSpec, at section: StackSection) {
        guard spec.keepsCores, hyperplexor.cores.isEmpty, let node = section.values["keep-cores"] else { return }
        report(
            "`keep-cores` without `cores`: each CPU would keep some core of this host permanently busy", at: node,
            remedy: "Add `cores` to the hyperplexor, one for each CPU, or remove `keep-cores`.")
    }

    func image(_ section: StackSection) -> String {
        guard let image = optional(section, "image"), let node = section.values["image"] else { return "standard" }
        if image.contains("/") { return absolute(image) }
        guard let first = image.first, first.isLetter || first.isNumber,
            image.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) })
        else {
            report(
                "`image: \(image.prefix(60))` is neither an image's name nor a folder", at: node,
                remedy: "An image name has letters, digits, dots, dashes, underscores; a folder has a slash: ./IMAGE.")
            return "standard"
        }
        return image
    }

    private func haltPolling(_ section: StackSection) -> Int? {
        guard let node = section.values["halt-polling"] else { return nil }
        if case .scalar("default", _) = node.content { return nil }
        if case .scalar("off", isPlain: true) = node.content { return 0 }
        return integer(node, "`halt-polling` (nanoseconds, or off, or default)", in: 0...10_000_000)
    }

    private func functions(_ section: StackSection, accelerator: HyperplexorSpec.Accelerator) -> [String] {
        let elements = elements(section, "functions")
        if let first = elements.first, accelerator == .tcg {
            report(
                "`functions` needs KVM, but the hyperplexor's `accelerator` is tcg", at: first,
                remedy: "Write `accelerator: kvm`, or remove `functions`.")
        }
        return elements.compactMap { element in
            guard let text = text(element, "an element of `functions`") else { return nil }
            if let address = PCIAddress.normalized(text) { return address }
            report(
                "`\(text.prefix(60))` is not a PCI function", at: element,
                remedy: "Write it as `lspci -D` prints it: 0000:01:00.1")
            return nil
        }
    }

    /// Checks that the guests fit into their hypervisor.
    private func checkRoom(
        _ spec: HypervisorSpec, accelerator: HyperplexorSpec.Accelerator, at section: StackSection
    ) {
        let count = spec.guests.count + spec.spareGuests
        if count > Self.guestLimit {
            report(
                "a hypervisor has room for \(Self.guestLimit) guests; found \(count), spare ones included",
                at: section.values["guests"] ?? section.node, remedy: "Distribute them over several hypervisors.")
        }
        let inside = spec.guests.reduce(0) { $0 + $1.memory }
        // The hypervisor needs 64 bytes of page structure in its own memory for each 4096 bytes of guest memory
        // (map=mem).
        let least = Self.leastHypervisorMemory + inside / 64
        if spec.memory < least {
            let rounded = (least + Self.sizeUnit - 1) / Self.sizeUnit * Self.sizeUnit
            report(
                "`memory: \(Self.text(spec.memory))` is too small: the kernel's tables for its guests' "
                    + "\(Self.text(inside)) take \((inside / 64) >> 20)M of it",
                at: section.values["memory"] ?? section.node, remedy: "Write \(Self.text(rounded)) or more.")
        }
        if accelerator == .tcg, spec.memory + inside > Self.sizeLimit / 2 {
            report(
                "an emulated hypervisor has room for \(Self.text(Self.sizeLimit / 2)), its guests included",
                at: section.node, remedy: "Give its guests less memory, or use KVM.")
        }
    }

    /// Reads additional QEMU arguments; rejects options that hyperfresh sets itself.
    func arguments(_ section: StackSection, owned: Set<String>) -> [String] {
        elements(section, "extra-arguments").compactMap { element in
            guard let argument = text(element, "an element of `extra-arguments`") else { return nil }
            let option = argument.hasPrefix("--") ? String(argument.dropFirst()) : argument
            if owned.contains(option) {
                report(
                    "`\(argument)` is set by hyperfresh", at: element,
                    remedy: "Remove it and its value; docs/stack-file.md names the key for this setting.")
                return nil
            }
            if argument.hasPrefix("-"), let space = argument.firstIndex(of: " ") {
                report(
                    "`\(argument.prefix(60))` is one argument", at: element,
                    remedy: "Write two elements: \(argument[..<space]) and what follows it.")
                return nil
            }
            return argument
        }
    }
}

/// QEMU options that hyperfresh sets itself.
enum OwnedOptions {
    private static let ofBoth: Set<String> = [
        "-S", "-accel", "-cpu", "-daemonize", "-enable-kvm", "-incoming", "-loadvm", "-M", "-m", "-machine", "-name",
        "-no-user-config", "-nodefaults", "-pidfile", "-preconfig", "-readconfig", "-sandbox", "-smp", "-snapshot",
    ]
    static let ofHypervisor = ofBoth.union(["-append", "-initrd", "-kernel", "-overcommit", "-uuid"])
    /// An OS VM has one NUMA node; it shares this node's memory with the file system servers of its containers.
    static let ofSystem = ofHypervisor.union(["-mem-path", "-mem-prealloc", "-numa"])
    static let ofGuest = ofBoth.union(["-append", "-initrd", "-kernel", "-mem-path", "-mem-prealloc"])
}

/// Parses addresses of PCI functions.
enum PCIAddress {
    /// Returns the address in lower case with its domain, such as `0000:01:00.1`; `nil` if the text is none.
    static func normalized(_ text: String) -> String? {
        let full = text.count { $0 == ":" } == 1 ? "0000:\(text)" : text
        let parts = full.lowercased().split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "." }
        guard parts.count == 4, parts.map(\.count) == [4, 2, 2, 1], full.suffix(2).first == ".",
            parts.joined().allSatisfy({ $0.isASCII && $0.isHexDigit }), let device = UInt8(parts[2], radix: 16),
            device < 32, let function = UInt8(parts[3], radix: 16), function < 8
        else { return nil }
        return full.lowercased()
    }
}

// MARK: - Systems

extension StackReader {
    /// The most containers of a stack: each OS VM has a console port for each of them, and two for new ones.
    static let containerLimit = 26

    /// Reads the OS VMs.
    func systems(_ stack: StackSection, context: GuestContext, hyperplexor: HyperplexorSpec) -> [HypervisorSpec] {
        let read = elements(stack, "systems").compactMap { node -> (HypervisorSpec, StackSection)? in
            guard let (system, section) = system(node, context: context, hyperplexor: hyperplexor) else { return nil }
            if let line = context.seen.hypervisors.earlierLine(of: system.name, now: node.line) {
                report(
                    "the name of system `\(system.name)` is already used in line \(line)", at: node,
                    remedy: "Rename one of them: hypervisors and systems share one namespace.")
            }
            return (system, section)
        }
        checkRoom(read, at: stack, accelerator: hyperplexor.accelerator)
        return read.map(\.0).filter { !$0.name.isEmpty }
    }

    private func system(
        _ node: YAMLTree, context: GuestContext, hyperplexor: HyperplexorSpec
    ) -> (HypervisorSpec, StackSection)? {
        let keys = ["name", "image", "memory", "cpus", "keep-cores", "extra-arguments", "containers"]
        guard let section = section(node, of: "a system", keys: keys) else { return nil }
        let name = name(section)
        var spec = HypervisorSpec(
            name: name ?? "", image: image(section),
            memory: memory(section, least: Self.leastHypervisorMemory, default: 1 << 30),
            cpus: integer(section, "cpus", default: 2, in: 1...255), guests: [], spareGuests: 0,
            keepsCores: flag(section, "keep-cores", default: false), haltPolling: nil, functions: [],
            extraArguments: arguments(section, owned: OwnedOptions.ofSystem))
        spec.kind = .os
        spec.containers = elements(section, "containers").compactMap { container($0, context: context) }
        checkKeptCores(spec, hyperplexor, at: section)
        return name == nil && spec.containers.isEmpty ? nil : (spec, section)
    }

    // MARK: - Containers

    private func container(_ node: YAMLTree, context: GuestContext) -> ContainerSpec? {
        guard let section = section(node, of: "a container", keys: ["name", "bundle", "memory", "network"]) else {
            return nil
        }
        let name = tenantName(section, "container")
        if let name, let line = context.seen.names.earlierLine(of: name, now: node.line) {
            report(
                "the name of container `\(name)` is already used in line \(line)", at: node,
                remedy: "Rename one of them: guests and containers of a stack share one namespace.")
        }
        let bundle = bundle(section)
        let memory = memory(section, least: 16 << 20, default: 256 << 20)
        let card = section.values["network"].flatMap { containerCard($0, of: name ?? "", context: context) }
        guard let name, let bundle else { return nil }
        return ContainerSpec(name: name, bundle: bundle, memory: memory, card: card)
    }

    private func bundle(_ section: StackSection) -> String? {
        let remedy = "Add `bundle: FOLDER`, an OCI bundle of this host: config.json and the root file system."
        guard let text = required(section, "bundle", remedy: remedy), let node = section.values["bundle"] else {
            return nil
        }
        let folder = absolute(text)
        guard !text.isEmpty, folder != "/" else {
            report("`bundle` does not name a folder: `\(text)`", at: node, remedy: "Write the path of an OCI bundle.")
            return nil
        }
        // virtiofsd takes its options as one comma-separated list.
        guard !folder.utf8.contains(where: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\\") || $0 < 32 }) else {
            report(
                "`bundle` has a comma, a backslash or a control character, which virtiofsd would misread", at: node,
                remedy: "Rename the folder.")
            return nil
        }
        return folder
    }

    // MARK: - Room

    /// Checks that each OS VM has room for every container: a container may be relocated to any OS VM of its stack.
    private func checkRoom(
        _ systems: [(HypervisorSpec, StackSection)], at stack: StackSection, accelerator: HyperplexorSpec.Accelerator
    ) {
        let containers = systems.flatMap(\.0.containers)
        if containers.count > Self.containerLimit {
            report(
                "a stack has room for \(Self.containerLimit) containers; found \(containers.count)",
                at: stack.values["systems"] ?? stack.node, remedy: "Distribute them over several stacks.")
        }
        let stores = containers.reduce(0) { $0 + StoreFileShape(memory: $1.memory).fileSize }
        let largest = containers.map(\.memory).max() ?? 0
        for (system, section) in systems {
            let own = system.containers.reduce(0) { $0 + $1.memory }
            let least = Self.leastHypervisorMemory + max(own, largest) + stores / 64
            if system.memory < least {
                let rounded = (least + Self.sizeUnit - 1) / Self.sizeUnit * Self.sizeUnit
                report(
                    "`memory: \(Self.text(system.memory))` is too small: containers that may run here take "
                        + "\(Self.text(max(own, largest))) of it, the kernel's tables for all image stores "
                        + "\((stores / 64) >> 20)M",
                    at: section.values["memory"] ?? section.node, remedy: "Write \(Self.text(rounded)) or more.")
            }
            if accelerator == .tcg, system.memory + stores > Self.sizeLimit / 2 {
                report(
                    "an emulated system has room for \(Self.text(Self.sizeLimit / 2)), image stores included",
                    at: section.node, remedy: "Give containers less memory, or use KVM.")
            }
        }
    }
}
