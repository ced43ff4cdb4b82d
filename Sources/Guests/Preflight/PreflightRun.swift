internal import JSON
internal import Linux
internal import QEMUCommandLine
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
        guard let path, let file = FileStatus.at(path) else { return false }
        return FileStatus.at("/proc/\(guest.identity.pid)/exe")?.version == file.version
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

// MARK: - Memory

extension PreflightRun {
    /// Checks the guest's memory, and whether another handoff of it is in progress.
    mutating func checkMemory(_ description: GuestDescription) {
        let view = ProcessView(pid: guest.identity.pid, workingDirectory: guest.workingDirectory)
        var files: [String: MemoryChecks.File] = [:]
        var paths: [String] = []
        for backend in description.memory where backend.isNamedFile {
            guard let path = backend.mapping?.path ?? backend.path.map(view.absolute) else { continue }
            let place = view.reachable(path)
            paths.append(place)
            guard let facts = FileStatus.at(place) else { continue }
            files[backend.id] = MemoryChecks.File(
                mode: facts.mode & 0o7777, isReachableByOthers: Self.isReachableByOthers(place))
        }
        findings +=
            MemoryChecks(
                name: guest.name, stack: ManagementStack(arguments: guest.arguments), backends: description.memory,
                files: files,
                // If they are not readable, a finding reports that.
                knowsMappings: (try? ProcFS.mappings(guest.identity.pid)) != nil
            ).findings
        result.memoryFile = paths.first
        let lacks = PermissionChecks.memoryFiles(paths)
        if !lacks.isEmpty { findings.append(PermissionChecks(lacks: lacks).finding) }
        if let path = paths.first, lacks.isEmpty, !request.holdsLock { findings.append(lockFinding(path)) }
    }

    /// Checks the lock on the guest's memory file, by which controllers exclude each other, and releases it at once.
    private func lockFinding(_ path: String) -> Finding {
        let id = FindingID.refreshInProgress
        do throws(SystemError) {
            guard try FileLock.tryAcquire(Paths.resolved(path) ?? path) == nil else {
                return Finding(id, .pass, "no other handoff of this guest is in progress")
            }
            return Finding(
                id, .fail, "another handoff of this guest is in progress", evidence: ["\(path) is locked"],
                remedy: "Wait for it: `hyperfresh status` shows its progress.")
        } catch {
            return Finding(
                id, .warn, "cannot determine whether another handoff is in progress", evidence: ["\(error)"],
                remedy: "Run hyperfresh as root, or as the user that the guest runs as.")
        }
    }

    /// Returns whether every directory on the path grants others access.
    private static func isReachableByOthers(_ path: String) -> Bool {
        Paths.ancestors(of: Paths.resolved(path) ?? path).allSatisfy { folder in
            FileStatus.at(folder).map { $0.mode & 0o011 != 0 } ?? true
        }
    }
}

// MARK: - Start

extension PreflightRun {
    /// The architectures of whose machines none writes to the guest's RAM at its start: tested with running guests.
    private static let quietTargets: Set<String> = [
        "x86_64", "i386", "aarch64", "arm", "riscv64", "riscv32", "loongarch64",
    ]

    /// Tests whether the new QEMU leaves the shared memory unchanged at its start, if a device may change it.
    mutating func tryStart(
        _ description: GuestDescription, _ configuration: RunningConfiguration, _ target: QEMUBinary,
        _ client: QMPClient
    ) async throws {
        let id = FindingID.startChangesMemory
        let options =
            RemovedObject.filter(configuration.commandLine.options, removing: configuration.removals)
            + configuration.additions
        let devices = StartProbe.devices(of: options, backends: description.memory)
        let arch = try await client.executeRaw("query-target")["arch"]?.string ?? ""
        guard !devices.isEmpty || !Self.quietTargets.contains(arch) else {
            findings.append(Finding(id, .pass, "no device of the guest changes its memory when QEMU starts"))
            return
        }
        let probe = StartProbe(
            binary: target, machineType: description.machineType,
            memoryOption: guest.commandLine?.options(named: "m").last?.value,
            memorySize: try await client.execute(QueryMemorySizeSummary()).baseMemory, devices: devices)
        do {
            // In another mount namespace, the running file is not at its path in our view.
            let isOurs = ProcessView(pid: guest.identity.pid).sharesOurFiles
            let place = isOurs ? target.path : "/proc/\(guest.identity.pid)/exe"
            var placed = probe
            placed.binary.path = place
            let changes = try await placed.run(credentials: try credentials(for: place), environment: oldModules)
            findings.append(StartProbe.finding(changes, devices: devices.map(\.driver), binary: target.path))
        } catch let error as QEMUProbeError {
            findings.append(StartProbe.untried("\(error)", error.evidence))
        } catch {
            findings.append(StartProbe.untried("\(error)", []))
        }
    }
}

// MARK: - States

extension PreflightRun {
    /// Returns the device states that the running binary lists.
    ///
    /// Runs the binary as ourselves if no other user can have put it there, else as the guest's user, who chose it.
    func savedStates(_ description: GuestDescription) async -> Result<VMState, VMStateDumpFailure> {
        let exe = "/proc/\(guest.identity.pid)/exe"
        var user: HelperProgram.User?
        if FileStatus.at(exe)?.isWritableByOthers != false {
            // If the user is unknown, the binary is not executed.
            guard ourUserID == 0, let credentials = try? ProcFS.credentials(guest.identity.pid),
                credentials.user.effective != 0
            else { return .failure(VMStateDumpFailure(reason: "others can change it, so it is not executed")) }
            user = HelperProgram.User(uid: credentials.user.effective, gid: credentials.group.effective)
        }
        return await VMStateDump.read(exe, machineType: description.machineType, environment: oldModules, user: user)
    }

    /// Checks whether QEMU saves the complete state of the guest's devices.
    mutating func checkDeviceStates(_ client: QMPClient, _ saved: Result<VMState, VMStateDumpFailure>) async throws {
        // Without the object tree, the guest's devices are unknown: this is an error, not a guest without devices.
        let tree = try await client.execute(HumanMonitorCommand("info qom-tree"))
        let types = try await client.executeRaw("qom-list-types", arguments: ["abstract": true])
        let target = try await client.executeRaw("query-target")["arch"]?.string ?? ""
        var parents: [String: String] = [:]
        for type in types.array ?? [] {
            if let name = type["name"]?.string, let parent = type["parent"]?.string { parents[name] = parent }
        }
        let checks = DeviceStateChecks(
            parents: parents, saved: saved, objects: QOMTree.objects(tree), target: target)
        findings += checks.findings
    }
}
