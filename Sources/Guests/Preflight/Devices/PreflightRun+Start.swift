internal import JSON
internal import Linux
internal import QMP

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
