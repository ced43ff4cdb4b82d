internal import QMP

/// Whether the new binary can take the guest.
struct TargetChecks {
    let description: GuestDescription
    /// The value of `-cpu`, nil where the machine's own model is used.
    let cpuOption: String?
    /// The same file as the one that runs, or another.
    let isSameFile: Bool
    let targetPath: String
    let targetVersion: QEMUVersion
    /// What the new binary says of itself; nil where it is the same file and was not asked.
    let probe: QEMUProbe?
    /// What the running binary emulates, such as `x86_64`; nil where it was not asked.
    var runningTarget: String?

    var findings: [Finding] {
        [machineType, cpu]
    }

    private var machineType: Finding {
        let id = FindingID.machineTypeUnknown
        let type = description.machineType
        guard let probe else { return Finding(id, .pass, "the new QEMU is the same binary: it knows \(type)") }
        // qemu-system-i386 knows the same machines, but has no 64-bit CPU for them.
        if let runningTarget, runningTarget != probe.target {
            return Finding(
                id, .fail, "the new QEMU emulates \(probe.target), the guest's is one for \(runningTarget)",
                evidence: [targetPath], remedy: "Choose a binary for \(runningTarget) (--to).")
        }
        if probe.knows(machineType: type) {
            let isDeprecated = probe.machines.contains { $0.name == type && $0.isDeprecated }
            return Finding(
                id, .pass, "the new QEMU knows \(type)" + (isDeprecated ? ", and has it deprecated" : ""))
        }
        let family = type.split(separator: "-").dropLast().joined(separator: "-")
        let offered = probe.machines.map(\.name).filter { !family.isEmpty && $0.hasPrefix(family) }.sorted()
        return Finding(
            id, .fail, "the new QEMU (\(targetVersion)) does not know the machine type \(type)",
            evidence: offered.isEmpty
                ? ["it emulates \(probe.target)"] : ["it knows " + offered.joined(separator: ", ")],
            remedy:
                "Choose a binary that knows it (--to), one before its removal; a guest keeps its machine type for life."
        )
    }

    /// `host` and `max` mean whatever this QEMU, kernel and CPU have together.
    private var cpu: Finding {
        let id = FindingID.cpuTiedToHost
        let model = cpuOption?.split(separator: ",").first.map(String.init) ?? description.cpuType ?? "the default"
        let isTied =
            ["host", "max"].contains(model)
            || ["host-", "max-"].contains { description.cpuType?.hasPrefix($0) == true }
        let hasInvariantTSC = cpuOption?.contains("invtsc") == true && cpuOption?.contains("invtsc=off") != true
        if isSameFile || description.version == targetVersion {
            return Finding(id, .pass, "the CPU model is the same to the same version of QEMU (\(model))")
        }
        guard isTied else {
            guard hasInvariantTSC else {
                return Finding(id, .pass, "the CPU model \(model) is the same in every version")
            }
            return Finding(
                id, .warn, "the guest was promised a TSC that never changes (invtsc)", evidence: [cpuOption ?? ""],
                remedy: "It holds on this host; do not take the guest to another one.")
        }
        let remedy = "Start the guest with a named model (-cpu help lists them), such as the oldest of your hosts has."
        let evidence = ["-cpu \(cpuOption ?? model)", "runs \(description.version), new \(targetVersion)"]
        if targetVersion < description.version {
            return Finding(
                id, .fail, "-cpu \(model) has features in \(description.version) that \(targetVersion) may not have",
                evidence: evidence, remedy: remedy)
        }
        return Finding(
            id, .warn, "-cpu \(model) may gain features in \(targetVersion) that the guest does not expect",
            evidence: evidence, remedy: remedy)
    }

    /// What a comparison of the device states says.
    static func vmstate(_ comparison: VMStateComparison, old: QEMUVersion, new: QEMUVersion) -> Finding {
        let id = FindingID.vmstateIncompatible
        if !comparison.breaks.isEmpty {
            return Finding(
                id, .fail, "QEMU \(new) cannot read the device state that \(old) writes", evidence: comparison.breaks,
                remedy: "Choose another version (--to), or unplug the device that is named if the guest can do without."
            )
        }
        guard comparison.doubts.isEmpty else {
            return Finding(
                id, .warn, "the device states of \(old) and \(new) differ where it may not matter",
                evidence: shortened(comparison.doubts),
                remedy: "Nothing, usually: if it does matter the refresh fails and the guest goes on where it is.")
        }
        return Finding(id, .pass, "the states of \(comparison.count) device types fit")
    }

    /// What a new binary says that does not have the guest's devices.
    static func lacking(_ types: Set<String>, version: QEMUVersion) -> Finding {
        Finding(
            .vmstateIncompatible, .fail, "QEMU \(version) does not have all of the guest's devices",
            evidence: types.sorted().map { "\($0): no such device, or its module is not installed" },
            remedy: "Install the packages with that QEMU's modules, or choose another binary (--to).")
    }

    /// What a comparison that could not be made says.
    static func vmstateUnknown(_ reason: String) -> Finding {
        Finding(
            .vmstateIncompatible, .warn, "the device states could not be compared", evidence: [reason],
            remedy: "`BINARY -machine TYPE -dump-vmstate FILE` must work for both binaries; a rehearsal "
                + "(--dry-run) does not test it.")
    }

    private static func shortened(_ lines: [String]) -> [String] {
        let most = 8
        return lines.count <= most ? lines : lines.prefix(most) + ["and \(lines.count - most) more"]
    }
}
