import StackFile
import VirtualMachines

/// Compares the records of an instance with its active guests and containers.
struct TenantCheck {
    let stack: Stack
    let spec: HypervisorSpec

    /// Returns the active guests and containers that an instance reports; they must match its records and the stack
    /// file.
    ///
    /// - Throws: ``HyperFreshError`` with status 3 if they do not, or if the instance does not report them.
    func run(
        _ instance: Hypervisor, _ placement: [String: String]
    ) async throws(HyperFreshError) -> Tenants {
        let id = instance.record.id
        let tenants: Tenants
        do throws(HypervisorError) { tenants = try await instance.agent.tenants() } catch {
            var error = HyperFreshError(error, in: "instance \(instance.record.runName)")
            error.guestState = "Nothing was touched."
            error.exitCode = RefreshOutcome.blocked.exitCode
            throw error
        }
        let placed = Set(placement.filter { $0.value == id }.keys)
        let misplaced = tenants.words(butFor: placed)
        guard misplaced.isEmpty else {
            throw HyperFreshError(
                "the records of \(spec.kind) \(spec.name) do not match the guests and containers in instance \(id)",
                guestState: "Nothing was touched.",
                remedy: "Run `hyperfresh recover`: it rebuilds the records from the running processes.",
                evidence: misplaced.map { "\($0) is in it" }, exitCode: RefreshOutcome.blocked.exitCode)
        }
        try refuseUnknown(tenants)
        return tenants
    }

    /// Throws if a guest is no longer in the stack file: it would be lost with a hypervisor that is ended.
    private func refuseUnknown(_ tenants: Tenants) throws(HyperFreshError) {
        let unknown = tenants.words(butFor: Set(spec.guests.map(\.name) + stack.containers.map(\.name)))
        guard unknown.isEmpty else {
            throw HyperFreshError(
                "\(unknown[0]) runs in \(spec.kind) \(spec.name), but is not in its stack file",
                guestState: "Nothing was touched.",
                remedy: "Put it back into the file and run `hyperfresh up STACK-FILE`, or shut it down from inside.",
                evidence: unknown, exitCode: RefreshOutcome.blocked.exitCode)
        }
    }
}
