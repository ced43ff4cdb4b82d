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
                    remedy: "Rename one of them: hypervisors and systems share one name space.")
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
                remedy: "Rename one of them: guests and containers of a stack share one name space.")
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
