internal import QMP

/// Checks whether the new binary can take the guest.
struct TargetChecks {
    let description: GuestDescription
    /// The value of `-cpu`; nil if the machine's default model is used.
    let cpuOption: String?
    /// Whether the new binary is the same file as the running one.
    let isSameFile: Bool
    let targetPath: String
    let targetVersion: QEMUVersion
    /// The answers of the new binary; nil if it is the same file and was not queried.
    let probe: QEMUProbe?
    /// The architecture that the running binary emulates, such as `x86_64`; nil if it was not queried.
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
                id, .fail, "the new QEMU emulates \(probe.target), the guest's emulates \(runningTarget)",
                evidence: [targetPath], remedy: "Choose a binary for \(runningTarget) (--to).")
        }
        if probe.knows(machineType: type) {
            let isDeprecated = probe.machines.contains { $0.name == type && $0.isDeprecated }
            return Finding(
                id, .pass, "the new QEMU knows \(type)" + (isDeprecated ? ", which is deprecated" : ""))
        }
        let family = type.split(separator: "-").dropLast().joined(separator: "-")
        let offered = probe.machines.map(\.name).filter { !family.isEmpty && $0.hasPrefix(family) }.sorted()
        return Finding(
            id, .fail, "the new QEMU (\(targetVersion)) does not know the machine type \(type)",
            evidence: offered.isEmpty
                ? ["it emulates \(probe.target)"] : ["it knows " + offered.joined(separator: ", ")],
            remedy:
                "Choose a binary that knows it (--to), from before its removal; a guest cannot change its machine type."
        )
    }

    /// Checks the CPU model: the meaning of `host` and `max` depends on QEMU, kernel and CPU.
    private var cpu: Finding {
        let id = FindingID.cpuTiedToHost
        let model = cpuOption?.split(separator: ",").first.map(String.init) ?? description.cpuType ?? "the default"
        let isTied =
            ["host", "max"].contains(model)
            || ["host-", "max-"].contains { description.cpuType?.hasPrefix($0) == true }
        let hasInvariantTSC = cpuOption?.contains("invtsc") == true && cpuOption?.contains("invtsc=off") != true
        if isSameFile || description.version == targetVersion {
            return Finding(id, .pass, "the same version of QEMU has the same CPU model (\(model))")
        }
        guard isTied else {
            guard hasInvariantTSC else {
                return Finding(id, .pass, "the CPU model \(model) is the same in every version")
            }
            return Finding(
                id, .warn, "the guest was promised an invariant TSC (invtsc)", evidence: [cpuOption ?? ""],
                remedy: "The TSC is invariant on this host; do not move the guest to another one.")
        }
        let remedy = "Start the guest with a named model (-cpu help lists them), such as that of your oldest host."
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

    /// Returns the finding for a comparison of the device states.
    static func vmstate(_ comparison: VMStateComparison, old: QEMUVersion, new: QEMUVersion) -> Finding {
        let id = FindingID.vmstateIncompatible
        if !comparison.breaks.isEmpty {
            return Finding(
                id, .fail, "QEMU \(new) cannot read the device state that \(old) writes", evidence: comparison.breaks,
                remedy: "Choose another version (--to), or unplug the named device if the guest can do without it."
            )
        }
        guard comparison.doubts.isEmpty else {
            return Finding(
                id, .warn, "the device states of \(old) and \(new) differ, which may not matter",
                evidence: shortened(comparison.doubts),
                remedy: "Usually, no action is needed: if it matters, the refresh fails and the guest continues on the "
                    + "old QEMU.")
        }
        return Finding(id, .pass, "the states of \(comparison.count) device types are compatible")
    }

    /// Returns the finding for a new binary that lacks devices of the guest.
    static func lacking(_ types: Set<String>, version: QEMUVersion) -> Finding {
        Finding(
            .vmstateIncompatible, .fail, "QEMU \(version) does not have all of the guest's devices",
            evidence: types.sorted().map { "\($0): no such device, or its module is not installed" },
            remedy: "Install the packages with that QEMU's modules, or choose another binary (--to).")
    }

    /// Returns the finding for a comparison that was not possible.
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
