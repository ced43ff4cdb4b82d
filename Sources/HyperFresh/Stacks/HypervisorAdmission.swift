import Containers
import Glibc
import Guests
import Handoff
import Linux
import StackFile
import VirtualMachines

/// The admission of a hypervisor: the checks and facts before its refresh.
///
/// Changes nothing.
struct HypervisorAdmission {
    let stack: Stack
    let spec: HypervisorSpec
    let store: StackStore
    let request: HypervisorRefreshRequest

    /// The plan of a refresh.
    struct Plan: Sendable {
        let stack: Stack
        let spec: HypervisorSpec
        let image: HypervisorImage
        /// The instance with guests to move; without any if an earlier refresh moved them all but could not end it.
        let old: Hypervisor
        /// The new instance of an earlier, unfinished refresh; `nil` if one has to be started.
        let new: Hypervisor?
        /// The guests to hand over.
        let guests: [InnerGuestSpec]
        /// The containers to relocate, of an OS VM.
        let containers: [ContainerSpec]
        /// Guests without a QEMU, because they were shut down or ended; containers without a process.
        let stoppedGuests: [String]
        let isRehearsal: Bool

        /// Whether this run finishes an earlier one.
        var isFinishing: Bool { new != nil }
    }

    func run() async throws(HyperFreshError) -> Plan {
        try HandoffEntry.refuseUnfinished(of: spec.name, in: store)
        try refuseFunctions()
        let image = try readImage()
        let records = try store.survey(spec.name).records()
        try refuseUsedFiles()
        let alive = records.alive
        guard let last = alive.last else {
            throw HyperFreshError(
                "\(spec.kind) \(spec.name) does not run", guestState: "None of its \(spec.kind.tenant)s runs.",
                remedy: "Run `hyperfresh down STACK`, then `hyperfresh up STACK-FILE`.",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
        guard alive.count <= 2 else {
            throw HyperFreshError(
                "\(spec.kind) \(spec.name) has \(alive.count) instances",
                remedy: "Run `hyperfresh recover`: it ends those without \(spec.kind.tenant)s.",
                evidence: alive.map { "\($0.id): pid \($0.process.pid)" }, exitCode: RefreshOutcome.blocked.exitCode)
        }
        let placement = records.placement
        let first = alive[0]
        let new = alive.count == 2 ? try await reach(last) : nil
        if new == nil { try checkRoom() }
        let old = try await reach(first)
        do throws(HyperFreshError) {
            let check = TenantCheck(stack: stack, spec: spec)
            let tenants = try await check.run(old, placement)
            if let new { _ = try await check.run(new, placement) }
            let isHere = { (name: String) in placement[name] == old.record.id }
            let guests = spec.guests.filter { isHere($0.name) }
            // This includes containers that were relocated to it.
            let containers = stack.containers.filter { isHere($0.name) }
            let stopped =
                guests.filter { !tenants.guests.contains($0.name) }.map(\.name)
                + containers.filter { !tenants.containers.contains($0.name) }.map(\.name)
            for guest in guests where tenants.guests.contains(guest.name) {
                try GuestMemoryFile(guest, in: stack).verify(mappedBy: old.record.process)
            }
            for container in containers where tenants.containers.contains(container.name) {
                try ContainerStoreFile(container, in: stack).verify(mappedBy: old.record.process)
            }
            return Plan(
                stack: stack, spec: spec, image: image, old: old, new: new,
                guests: guests.filter { tenants.guests.contains($0.name) },
                containers: containers.filter { tenants.containers.contains($0.name) },
                stoppedGuests: stopped, isRehearsal: request.isRehearsal)
        } catch {
            old.close()
            new?.close()
            throw error
        }
    }

    private func readImage() throws(HyperFreshError) -> HypervisorImage {
        do throws(HypervisorError) {
            return try HypervisorImage.read(ImageCache.folder(of: request.image ?? spec.image, stack: stack))
        } catch {
            var error = HyperFreshError(error, in: "\(spec.kind) \(spec.name)")
            error.guestState = "Nothing was touched."
            error.exitCode = RefreshOutcome.blocked.exitCode
            throw error
        }
    }

    private func reach(_ record: InstanceRecord) async throws(HyperFreshError) -> Hypervisor {
        do throws(HypervisorError) {
            let hypervisor = try await store.reach(record)
            guard await hypervisor.agent.answers(within: .seconds(20)) else {
                hypervisor.close()
                throw HypervisorError(
                    "the agent of \(spec.kind) \(spec.name) (instance \(record.id)) does not answer",
                    remedy: "Its \(spec.kind.tenant)s may still run, but cannot be handed over without the agent. "
                        + "See its console, shut the \(spec.kind.tenant)s down from inside, then take the stack down.",
                    evidence: Hypervisor.consoleTail(hypervisor.folder).map { "console: \($0)" })
            }
            return hypervisor
        } catch {
            var error = HyperFreshError(error, in: "\(spec.kind) \(spec.name)")
            error.guestState = "Nothing was touched."
            error.exitCode = RefreshOutcome.blocked.exitCode
            throw error
        }
    }

    /// Throws if a process that is not on record uses a guest's file: it may be a hypervisor whose record was lost.
    private func refuseUsedFiles() throws(HyperFreshError) {
        let known = try store.processes(of: stack)
        let claims =
            spec.guests.flatMap { FileUse.Claim.all(of: $0, in: stack) }
            + stack.containers.flatMap { FileUse.Claim.all(of: $0, in: stack) }
        try FileUse.refuseStrangers(claims, known: known)
    }

    /// Throws if the hypervisor has functions of a device, because each of them can have only one owner.
    private func refuseFunctions() throws(HyperFreshError) {
        guard !spec.functions.isEmpty else { return }
        throw HyperFreshError(
            "\(spec.kind) \(spec.name) uses functions of this host's devices, which a second one cannot use next to it",
            guestState: "Nothing was touched.", remedy: "Take the stack down and up again; see docs/limits.md.",
            evidence: spec.functions, exitCode: RefreshOutcome.blocked.exitCode)
    }

    /// Throws if there is not enough memory for both hypervisors, which exist at the same time during the refresh.
    private func checkRoom() throws(HyperFreshError) {
        var finding = HostChecks.memory(overhead: spec.memory + (256 << 20))
        guard finding.severity == .fail else { return }
        finding.message = "there is not enough memory for a second \(spec.kind) next to the first"
        throw HyperFreshError(
            "\(spec.kind) \(spec.name) cannot be refreshed: \(finding.message) (\(finding.id))",
            guestState: "Nothing was touched.",
            remedy: "Free \((spec.memory >> 20) + 256) MiB, or give hypervisors less memory in the stack file.",
            evidence: finding.evidence, exitCode: RefreshOutcome.blocked.exitCode)
    }
}
