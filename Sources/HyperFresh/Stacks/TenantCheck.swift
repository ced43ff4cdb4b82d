import StackFile
import VirtualMachines

/// Holds what is on record of an instance against what is active in it.
struct TenantCheck {
    let stack: Stack
    let spec: HypervisorSpec

    /// What is active in an instance, by its own word; it has to be what is on record of it, and what the stack file names.
    ///
    /// - Throws: ``HyperFreshError`` with status 3 when it is not, or when the instance does not say.
    func run(
        _ instance: Hypervisor, _ placement: [String: String]
    ) async throws(HyperFreshError) -> Tenants {
        let id = instance.record.id
        let tenants: Tenants
        do throws(HypervisorError) { tenants = try await instance.agent.tenants() } catch {
            var error = HyperFreshError(error)
            error.guestState = "Nothing was touched."
            error.exitCode = RefreshOutcome.blocked.exitCode
            throw error
        }
        let placed = Set(placement.filter { $0.value == id }.keys)
        let misplaced = tenants.words(butFor: placed)
        guard misplaced.isEmpty else {
            throw HyperFreshError(
                "what is on record of \(spec.kind) \(spec.name) is not what runs in instance \(id)",
                guestState: "Nothing was touched.",
                remedy: "Run `hyperfresh recover`: it asks what runs, and makes the records anew.",
                evidence: misplaced.map { "\($0) is in it" }, exitCode: RefreshOutcome.blocked.exitCode)
        }
        try refuseUnknown(tenants)
        return tenants
    }

    /// A guest that the stack file does not name any more would be left behind in a hypervisor that is ended.
    private func refuseUnknown(_ tenants: Tenants) throws(HyperFreshError) {
        let unknown = tenants.words(butFor: Set(spec.guests.map(\.name) + stack.containers.map(\.name)))
        guard unknown.isEmpty else {
            throw HyperFreshError(
                "\(unknown[0]) runs in \(spec.kind) \(spec.name), but is not in its stack file",
                guestState: "Nothing was touched.",
                remedy: "Put it back into the file and run `hyperfresh up`, or shut it down from within.",
                evidence: unknown, exitCode: RefreshOutcome.blocked.exitCode)
        }
    }
}
