internal import JSON
internal import Linux
internal import QMP

extension PreflightRun {
    /// Returns the device states that the running binary lists.
    ///
    /// Runs the binary as ourselves if no other user can have put it there, else as the guest's user, who chose it.
    func savedStates(_ description: GuestDescription) async -> Result<VMState, VMStateDumpFailure> {
        let exe = "/proc/\(guest.identity.pid)/exe"
        var user: HelperProgram.User?
        if FileFacts.at(exe)?.isWritableByOthers != false {
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
