internal import JSON
internal import Linux
internal import QMP

extension PreflightRun {
    /// What the running binary says of device states.
    ///
    /// It is run as ourselves if nobody else can have put it there, else as the guest's user, who has chosen it.
    func savedStates(_ description: GuestDescription) async -> Result<VMState, VMStateDumpFailure> {
        let exe = "/proc/\(guest.identity.pid)/exe"
        var user: HelperProgram.User?
        if FileFacts.at(exe)?.isWritableByOthers != false {
            // A user that cannot be told is nobody to run a binary as.
            guard ourUserID == 0, let credentials = try? ProcFS.credentials(guest.identity.pid),
                credentials.user.effective != 0
            else { return .failure(VMStateDumpFailure(reason: "it is in other hands and is not executed by us")) }
            user = HelperProgram.User(uid: credentials.user.effective, gid: credentials.group.effective)
        }
        return await VMStateDump.read(exe, machineType: description.machineType, environment: oldModules, user: user)
    }

    /// Whether all that the guest's devices hold is saved.
    mutating func checkDeviceStates(_ client: QMPClient, _ saved: Result<VMState, VMStateDumpFailure>) async throws {
        // Without the object tree nothing is known of the guest's devices: that is an error, not a guest without any.
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
