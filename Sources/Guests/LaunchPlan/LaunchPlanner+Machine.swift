internal import QEMUCommandLine

extension LaunchPlanner {
    /// Plans `-machine`: names the running type, because an alias such as `q35` denotes another type in another QEMU.
    mutating func machine(_ option: CommandLineOption) -> CommandLineOption {
        guard var properties = option.properties, let type = properties["type"] else { return option }
        guard let running = facts.machineType else {
            if !LaunchPlanner.isVersioned(type) { refuseMachine(option) }
            return option
        }
        // Proxmox appends its own version, which its QEMU removes again: `pc-i440fx-9.2+pve1`.
        let suffix = type.drop { $0 != "+" }
        guard type.dropLast(suffix.count) != running else { return option }
        properties.set("type", running + suffix)
        return option.with(properties)
    }

    /// Returns the `-machine` option to add if none names the type.
    mutating func missingMachine(_ options: [CommandLineOption]) -> [CommandLineOption] {
        let machines = options.filter { $0.name == "machine" || $0.name == "M" }
        if machines.contains(where: { $0.properties?["type"] != nil }) { return [] }
        guard let running = facts.machineType else {
            refuseMachine(nil)
            return []
        }
        return [CommandLineOption("machine", running)]
    }

    /// Returns the accelerators to name, because QEMU chooses by its own name: one that ends in `kvm` tries KVM first.
    func missingAccelerators(_ commandLine: CommandLine) -> [CommandLineOption] {
        let prefersKVM = commandLine.executable.hasSuffix("kvm")
        let isNamed =
            commandLine.contains("accel") || commandLine.contains("enable-kvm")
            || commandLine.options(named: "machine").contains { $0.properties?["accel"] != nil }
        guard !isNamed, prefersKVM != target.path.hasSuffix("kvm") else { return [] }
        let order = prefersKVM ? ["kvm", "tcg"] : ["tcg", "kvm"]
        return order.map { CommandLineOption("accel", $0) }
    }

    private mutating func refuseMachine(_ option: CommandLineOption?) {
        refuse(
            .machineTypeUnknown,
            option,
            "The running versioned machine type is not known.",
            remedy: "Let hyperfresh query QMP (qom-get /machine type), or start the guest with a versioned type."
        )
    }

    /// Returns whether a type's name contains a version, or the type has no versions.
    private static func isVersioned(_ type: String) -> Bool {
        if ["none", "microvm", "isapc"].contains(type) { return true }
        let type = type.prefix { $0 != "+" }
        guard let version = type.split(separator: "-").last, type.contains("-") else { return false }
        let numbers = version.split(separator: ".")
        return numbers.count > 1 && numbers.dropFirst().allSatisfy { $0.allSatisfy(\.isNumber) }
    }
}
