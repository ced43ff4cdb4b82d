internal import JSON
internal import Linux
internal import QMP

extension PreflightRun {
    /// What the running binary says of device states.
    func savedStates(_ description: GuestDescription) async -> Result<VMState, VMStateDumpFailure> {
        let exe = "/proc/\(guest.identity.pid)/exe"
        guard let user = userToAsk(exe) else {
            return .failure(VMStateDumpFailure(reason: "it is in other hands and is not executed by us"))
        }
        return await VMStateDump.read(
            exe, machineType: description.machineType, environment: oldModules, user: user.user)
    }

    /// As whom a binary may be executed: as ourselves if nobody else can have put it there, else as the guest's user.
    private func userToAsk(_ exe: String) -> (user: HelperProgram.User?, isOther: Bool)? {
        guard let facts = FileFacts.at(exe) else { return nil }
        if !facts.isWritableByOthers { return (nil, false) }
        // A user that cannot be told is nobody to run a binary as.
        guard ourUserID == 0, let credentials = try? ProcFS.credentials(guest.identity.pid),
            credentials.user.effective != 0
        else { return nil }
        return (HelperProgram.User(uid: credentials.user.effective, gid: credentials.group.effective), true)
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
            // A failure is a finding, below.
            parents: parents, saved: try? saved.get(), objects: QOMTree.objects(tree), target: target)
        findings += checks.findings
        if case .failure(let failure) = saved, !findings.contains(where: { $0.id == .vmstateIncompatible }) {
            findings.append(TargetChecks.vmstateUnknown("the running binary: \(failure.reason)"))
        }
    }
}
