internal import JSON
internal import Linux
internal import QMP

extension PreflightRun {
    /// Identifies the new binary; nil if it is the running file, or cannot be queried.
    mutating func probeTarget(running: QEMUVersion, _ machine: RunningMachine) async -> QEMUProbe? {
        let id = FindingID.binaryUnusable
        let name = result.targetPath
        guard !isRunningFile(name) else {
            let binary = OldBinary.describe(
                // An unreadable environment names no modules; the binary is queried without.
                guest, environment: (try? ProcFS.environment(guest.identity.pid)) ?? [], version: running)
            result.target = QEMUBinary(
                path: name, version: binary.version, firmwareDirectories: binary.firmwareDirectories,
                moduleDirectory: binary.moduleDirectory)
            result.targetVersion = running
            findings.append(Finding(id, .pass, "the new QEMU is the running binary (\(running))", evidence: [name]))
            return nil
        }
        // If the path is not readable, not-permitted reports that.
        guard request.target != nil || !name.isEmpty else { return nil }
        guard ProcessView(pid: guest.identity.pid).sharesOurFiles else {
            findings.append(
                Finding(
                    id, .fail,
                    "the guest runs in a mount namespace of its own, so another binary cannot be checked from here",
                    evidence: ["in the guest's view, \(name) is not the running file"],
                    remedy: "Refresh it with the running binary (without --to), or run hyperfresh in its container."))
            return nil
        }
        do throws(QEMUProbeError) {
            let types = Set(machine.devices.map(\.type))
            let probe = try await QEMUProbe.ask(
                name, credentials: try credentials(for: name), environment: inheritedModules, propertiesOf: types)
            result.target = probe.binary
            result.targetPath = probe.binary.path
            result.targetVersion = probe.version
            findings.append(
                Finding(
                    id, .pass, "the new QEMU is \(probe.version)",
                    evidence: [probe.binary.path, probe.version.package].filter { !$0.isEmpty }))
            return probe
        } catch {
            let remedy =
                request.target == nil
                ? "Reinstall QEMU, or choose another binary: --to /usr/bin/qemu-system-x86_64"
                : "Choose a QEMU system emulator for this host: --to /usr/bin/qemu-system-x86_64"
            findings.append(
                Finding(id, .fail, "the new binary is not usable: \(error)", evidence: error.evidence, remedy: remedy))
            return nil
        }
    }

    /// Returns whether the path refers to the running file.
    private func isRunningFile(_ name: String) -> Bool {
        let view = ProcessView(pid: guest.identity.pid)
        let path = view.sharesOurFiles ? try? QEMUProbe.find(name) : view.reachable(name)
        guard let path, let file = FileFacts.at(path) else { return false }
        return FileFacts.at("/proc/\(guest.identity.pid)/exe")?.key == file.key
    }

    /// Returns the credentials for querying a binary: ours (nil) if an administrator named or installed it, else those
    /// of the guest's user, who chose it.
    func credentials(for name: String) throws(QEMUProbeError) -> ProcessCredentials? {
        let path = try QEMUProbe.find(name)
        if request.target != nil || ProgramTrust.isOurs(path) { return nil }
        guard ourUserID == 0 else { return nil }
        do throws(SystemError) {
            return try ProcFS.credentials(guest.identity.pid)
        } catch {
            throw QEMUProbeError(
                .notTrusted, path: path, "other users can change it, so it must not be run as root: \(error)")
        }
    }

    /// Checks whether the new binary can take this guest.
    mutating func checkTarget(
        _ description: GuestDescription, _ client: QMPClient, _ probe: QEMUProbe?,
        _ saved: Result<VMState, VMStateDumpFailure>
    ) async {
        guard let target = result.target, let version = result.targetVersion else { return }
        // Without it, the comparison uses all devices instead of the architecture.
        let runningTarget = probe == nil ? nil : (try? await client.executeRaw("query-target"))?["arch"]?.string
        findings +=
            TargetChecks(
                description: description, cpuOption: guest.commandLine?.options(named: "cpu").last?.value,
                isSameFile: probe == nil, targetPath: target.path, targetVersion: version, probe: probe,
                runningTarget: runningTarget
            ).findings
        guard let probe else {
            findings.append(Finding(.vmstateIncompatible, .pass, "the new QEMU is the same binary"))
            return
        }
        guard probe.knows(machineType: description.machineType) else { return }
        let lacking = Set(description.peripherals.map(\.type)).filter {
            probe.properties[$0] == nil && !$0.hasSuffix("-cpu")
        }
        guard lacking.isEmpty else {
            findings.append(TargetChecks.lacking(lacking, version: probe.version))
            return
        }
        findings.append(await vmstate(description, client, probe, saved))
    }

    /// Compares the device states of both binaries, as far as this guest has them.
    private func vmstate(
        _ description: GuestDescription, _ client: QMPClient, _ probe: QEMUProbe,
        _ saved: Result<VMState, VMStateDumpFailure>
    ) async -> Finding {
        let type = description.machineType
        let new = await VMStateDump.read(probe.binary.path, machineType: type, environment: modules(of: probe))
        let types: Set<String>
        do throws(QMPError) {
            types = QOMTree.types(try await client.execute(HumanMonitorCommand("info qom-tree")))
        } catch {
            return TargetChecks.vmstateUnknown("the guest's devices: \(error.message)")
        }
        switch (saved, new) {
        case (.success(let old), .success(let new)):
            let comparison = VMStateComparison(old: old, new: new, types: types)
            return TargetChecks.vmstate(comparison, old: description.version, new: probe.version)
        case (.failure(let failure), _):
            return TargetChecks.vmstateUnknown("the running binary: \(failure.reason)")
        case (_, .failure(let failure)):
            return TargetChecks.vmstateUnknown("the new binary: \(failure.reason)")
        }
    }

    /// The running QEMU's own modules, if only root or we can have put them there.
    var oldModules: [String: String] {
        let environment = (try? ProcFS.environment(guest.identity.pid)) ?? []
        guard let folder = ModuleDirectory.value(in: environment), ProgramTrust.isOurs(folder) else { return [:] }
        return [ModuleDirectory.variable: folder]
    }

    /// The part of these that the new QEMU inherits: the environment, but not the modules of an unpacked old QEMU.
    private var inheritedModules: [String: String] {
        let modules = oldModules
        guard let folder = modules[ModuleDirectory.variable], let executable = guest.executable?.path,
            let tree = FirmwareSearch.tree(of: executable), folder.hasPrefix(tree + "/"),
            result.targetPath != executable
        else { return modules }
        return [:]
    }

    private func modules(of probe: QEMUProbe) -> [String: String] {
        var environment = probe.environment
        if let folder = probe.binary.moduleDirectory { environment[ModuleDirectory.variable] = folder }
        return environment
    }
}
