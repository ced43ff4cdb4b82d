/// Checks whether QEMU saves the state of the guest's devices, by the device states that its binary lists
/// (`-dump-vmstate`).
///
/// A device without a saved state starts from reset on the new QEMU, under a driver that does not expect it, and QEMU
/// reports success.
struct DeviceStateChecks {
    /// The parent of each of QEMU's types (`qom-list-types`).
    let parents: [String: String]
    /// The states that the running binary saves, or why it could not be queried.
    let saved: Result<VMState, VMStateDumpFailure>
    /// Every object of the guest's machine, with its path and its type.
    let objects: [QOMTree.Object]
    /// The architecture that the running binary emulates: `x86_64`.
    let target: String

    /// The result for one device type.
    private enum Verdict {
        case saved, lost, withoutPCI
    }

    /// Devices without a saved state of their own, by their type or an ancestor of it, each checked in QEMU's source.
    private static let reviewed: Set<String> = [
        // No state that a guest could change: computed registers, a bus, a bridge, a loader.
        "vmport", "isabus-bridge", "isa-debugcon", "isa-debug-exit", "pvpanic", "cpu-cluster", "loader", "guest-loader",
        "pxb", "pxb-pcie", "pc-dimm",
        // The guest's settings affect only the host's screen.
        "ramfb",
        // Saved by another object: the transport's registers and the ports with their virtio device, drives with their
        // controller, chips with their card.
        "virtio-pci", "virtio-mmio", "virtio-serial-port", "ide-device", "floppy", "serial", "esp", "base-xhci",
        // Registered when the device is created, and so not listed for its type.
        "apic-common", "pci-ide", "isa-ide", "ipmi-bmc", "isa-ipmi-kcs", "isa-ipmi-bt", "i82550", "i82551", "i82557a",
        "i82557b", "i82557c", "i82558a", "i82558b", "i82559a", "i82559b", "i82559c", "i82559er", "i82562", "i82801",
        // Computed from the registers of its CPU.
        "hyperv-synic",
    ]
    /// Known to lose their state; for a binary that cannot be queried.
    private static let knownLost: Set<String> = ["virtio-pmem", "sdhci-pci", "acpi-erst", "ati-vga", "adlib"]
    /// The architectures of whose machines every part was checked.
    private static let reviewedTargets: Set<String> = ["x86_64", "i386"]

    var findings: [Finding] {
        let id = FindingID.deviceStateNotSaved
        let saved: VMState
        switch self.saved {
        case .success(let state): saved = state
        case .failure(let failure): return unknown(failure)
        }
        var lost: [String] = []
        var unreviewed: [String] = []
        var count = 0
        for object in objects.unique where isDevice(object.type) {
            count += 1
            let verdict = verdict(on: object.type, saved)
            guard verdict != .saved else { continue }
            let isBoards = !object.path.hasPrefix("/machine/peripheral")
            let text = line(object) + (verdict == .withoutPCI ? ": not its PCI configuration" : "")
            if isBoards, !Self.reviewedTargets.contains(target) { unreviewed.append(text) } else { lost.append(text) }
        }
        if !lost.isEmpty { return [refusal(lost)] }
        guard unreviewed.isEmpty else {
            return [
                Finding(
                    id, .warn, "QEMU may not save the whole state of this machine's own devices", evidence: unreviewed,
                    remedy: "Test with an expendable guest, or refresh this one while its system is shut down.")
            ]
        }
        return [Finding(id, .pass, "QEMU saves the state of the guest's \(count) kinds of devices")]
    }

    private func verdict(on type: String, _ saved: VMState) -> Verdict {
        let line = descent(of: type)
        guard let section = line.lazy.compactMap({ saved.devices[$0] }).first else {
            return line.contains(where: Self.reviewed.contains) ? .saved : .lost
        }
        // The transport of a virtio device saves its PCI configuration.
        let isPCI = line.contains("pci-device") && !line.contains("virtio-pci")
        return isPCI && !section.holdsPCIConfiguration ? .withoutPCI : .saved
    }

    private func isDevice(_ type: String) -> Bool {
        let line = descent(of: type)
        return line.contains("device") && !line.contains("cpu")
    }

    /// Returns a type, its parent, and so on.
    private func descent(of type: String) -> [String] {
        var line = [type]
        while let parent = line.last.flatMap({ parents[$0] }), line.count < 32 { line.append(parent) }
        return line
    }

    private func line(_ object: QOMTree.Object) -> String {
        let name = object.path.split(separator: "/").dropFirst().first == "peripheral" ? "\(object.path), " : ""
        return "\(name)\(object.type)"
    }

    private func unknown(_ failure: VMStateDumpFailure) -> [Finding] {
        let lost = objects.filter { Self.knownLost.contains($0.type) }.map(line)
        guard lost.isEmpty else { return [refusal(lost)] }
        return [
            Finding(
                .deviceStateNotSaved, .warn, "cannot determine whether QEMU saves the state of all the guest's devices",
                evidence: ["the running binary: \(failure.reason)"],
                remedy: "`BINARY -machine TYPE -dump-vmstate FILE` must work for the running binary.")
        ]
    }

    private func refusal(_ lines: [String]) -> Finding {
        Finding(
            .deviceStateNotSaved, .fail, "QEMU does not save the state of some of the guest's devices",
            evidence: lines,
            remedy:
                "Unplug them for the refresh (device_del), or start the guest without them: a driver in the guest does "
                + "not expect a reset of its device.")
    }
}

extension VMState.Section {
    /// Whether it contains the registers by which a guest maps and enables a PCI device.
    fileprivate var holdsPCIConfiguration: Bool {
        name.hasPrefix("PCI") || fields.contains { $0.parts?.holdsPCIConfiguration == true }
            || subsections.contains(where: \.holdsPCIConfiguration)
    }
}

extension [QOMTree.Object] {
    /// One object for each type, preferably one from the command line.
    fileprivate var unique: [QOMTree.Object] {
        let sorted = sorted { left, right in
            let leftIsGiven = left.path.hasPrefix("/machine/peripheral")
            let rightIsGiven = right.path.hasPrefix("/machine/peripheral")
            return leftIsGiven == rightIsGiven ? left.path < right.path : leftIsGiven
        }
        var types: Set<String> = []
        return sorted.filter { types.insert($0.type).inserted }
    }
}

/// Parses QEMU's object tree as the human monitor prints it (`info qom-tree`): `    /ioapic[0] (memory-region)`.
enum QOMTree {
    /// An object in the tree.
    struct Object: Sendable, Hashable {
        /// Its path: `/machine/peripheral/net0`.
        let path: String
        let type: String
    }

    /// Returns the types of all objects in the tree.
    static func types(_ text: String) -> Set<String> {
        Set(objects(text).map(\.type))
    }

    /// Returns all objects in the tree, in its order.
    static func objects(_ text: String) -> [Object] {
        var names: [Substring] = []
        var objects: [Object] = []
        for line in text.split(whereSeparator: \.isNewline) {
            guard line.hasSuffix(")"), let open = line.lastIndex(of: "("),
                let slash = line.firstIndex(of: "/"), slash < open
            else { continue }
            let depth = line.prefix { $0 == " " }.count / 2
            let name = line[line.index(after: slash)..<open].drop { $0 == " " }
            names = names.prefix(depth) + [name.last == " " ? name.dropLast() : name]
            objects.append(
                Object(
                    path: "/" + names.joined(separator: "/"), type: String(line[line.index(after: open)...].dropLast()))
            )
        }
        return objects
    }
}
