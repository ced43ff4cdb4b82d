import Guests
import Linux
import QMP
import StackFile
import VirtualMachines

/// Takes a stack down: shuts down guests and containers, ends hypervisors and OS VMs, and removes all files.
struct StackDown {
    let name: String
    let store: StackStore
    /// How long a guest may take to shut down after the power button, a container after SIGTERM; then it is killed.
    ///
    /// Zero kills everything at once, without asking.
    let grace: Duration
    let tell: @Sendable (StackProgress) -> Void

    func run() async throws(HyperFreshError) {
        try store.verify()
        let stack = try store.stack(name)
        // Check and lock everything first, so that the stack is taken down completely or not at all.
        var locks: [HeldLock] = []
        defer { for lock in locks { lock.release() } }
        for spec in stack.hypervisors {
            locks.append(try store.lock(spec.name))
            try verifyFolders(of: spec)
        }
        for spec in stack.hypervisors { try await takeDown(spec, stack) }
        for container in stack.containers { try ContainerStoreFile(container, in: stack).remove() }
        GuestMemoryFile.removeFolder(of: stack)
        ContainerStoreFile.removeFolder(of: stack)
        store.forget(stack: stack.name)
    }

    /// Verifies the folders of all instances, also of those that have ended, because their files are removed.
    private func verifyFolders(of spec: HypervisorSpec) throws(HyperFreshError) {
        for instance in try store.survey(spec.name).instances { try store.verifyFolder(of: spec.name, instance.id) }
    }

    /// Ends one hypervisor; the caller holds its lock.
    func takeDown(_ spec: HypervisorSpec, _ stack: Stack) async throws(HyperFreshError) {
        try verifyFolders(of: spec)
        let begin = ContinuousClock.now
        tell(.step("\(spec.kind) \(spec.name) goes down"))
        let survey = try store.survey(spec.name)
        // Find them by their processes: an instance whose record is damaged runs nevertheless.
        let records = try survey.running.map { instance throws(HyperFreshError) in
            try proven(instance, of: spec, stack)
        }
        if grace > .zero {
            // A guest in a handoff does not react to the power button.
            try HandoffEntry.refuseUnfinished(of: spec.name, in: store)
            for record in records { try await shutDownTenants(of: record, spec, stack) }
        }
        for record in records {
            try await end(record, spec)
            await ShareServer.endAll(of: store.folder(spec.name, record.id))
        }
        for guest in spec.guests { try GuestMemoryFile(guest, in: stack).remove() }
        for container in spec.containers { try removeStore(of: container, stack) }
        try store.forget(hypervisor: spec.name)
        tell(.done("\(spec.kind) \(spec.name) goes down", milliseconds: (.now - begin).milliseconds))
    }

    /// Returns an instance that its process itself proves: a record alone never ends a process.
    private func proven(
        _ instance: HypervisorSurvey.Instance, of spec: HypervisorSpec, _ stack: Stack
    ) throws(HyperFreshError) -> InstanceRecord {
        if instance.found != nil, let record = instance.record(stack: stack.name) { return record }
        throw HyperFreshError(
            "the process on record as instance \(instance.id) of \(spec.kind) \(spec.name) is not that instance",
            guestState: "It was not ended.",
            remedy:
                "Identify it (`ps -fp PID`). If it is not \(spec.name): "
                + "`rm \(store.folder(spec.name, instance.id).record)`.",
            evidence: instance.process.map { ["pid \($0.pid)"] } ?? [], exitCode: RefreshOutcome.unknown.exitCode)
    }

    /// Removes the store of a container, unless it was relocated and is in another OS VM by now.
    private func removeStore(of container: ContainerSpec, _ stack: Stack) throws(HyperFreshError) {
        let file = ContainerStoreFile(container, in: stack)
        if try FileUse.holders(of: file.path).isEmpty { try file.remove() }
    }

    /// Shuts down everything that an instance reports as active.
    ///
    /// - Throws: ``HyperFreshError`` with status 6 if it does not answer, or has something that is not in the stack
    ///   file.
    private func shutDownTenants(
        of record: InstanceRecord, _ spec: HypervisorSpec, _ stack: Stack
    ) async throws(HyperFreshError) {
        let (hypervisor, tenants) = try await ask(record, spec)
        defer { hypervisor.close() }
        let known = Set(spec.guests.map(\.name) + stack.containers.map(\.name))
        let unknown = tenants.words(butFor: known)
        guard unknown.isEmpty else {
            throw refusal(
                "\(spec.kind) \(spec.name) was not ended: it has guests or containers that are not in its stack file",
                unknown)
        }
        await withTaskGroup(of: Void.self) { group in
            for guest in spec.guests where tenants.guests.contains(guest.name) {
                let placement = GuestPlacement(stack: stack, guest: guest, hypervisor: hypervisor)
                group.addTask { await GuestShutdown(placement: placement, grace: grace).run() }
            }
            for container in stack.containers where tenants.containers.contains(container.name) {
                let placement = ContainerPlacement(stack: stack, container: container, hypervisor: hypervisor)
                // A container that does not end in time is killed with the OS VM.
                group.addTask { try? await placement.stop(grace: grace) }
            }
        }
    }

    private func ask(
        _ record: InstanceRecord, _ spec: HypervisorSpec
    ) async throws(HyperFreshError) -> (Hypervisor, Tenants) {
        do throws(HypervisorError) {
            let hypervisor = try await store.reach(record)
            do throws(HypervisorError) { return (hypervisor, try await hypervisor.agent.tenants()) } catch {
                hypervisor.close()
                throw error
            }
        } catch {
            throw refusal(
                "\(spec.kind) \(spec.name) (instance \(record.id)) was not ended: it does not report its "
                    + "\(spec.kind.tenant)s",
                [error.message] + error.evidence)
        }
    }

    private func refusal(_ message: String, _ evidence: [String]) -> HyperFreshError {
        HyperFreshError(
            message, guestState: "Everything in it keeps running.",
            remedy: "`hyperfresh down --now \(name)` kills it with everything in it, like a power failure.",
            evidence: evidence, exitCode: RefreshOutcome.unknown.exitCode)
    }

    private func end(_ record: InstanceRecord, _ spec: HypervisorSpec) async throws(HyperFreshError) {
        do throws(SystemError) {
            if try await ProcessHandle(record.process).end(within: .seconds(20)) { return }
        } catch {
            // It has ended since.
            if !record.process.isAlive { return }
        }
        throw InstanceEnd.survived(record)
    }
}
