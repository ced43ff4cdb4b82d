import Guests
import Hypervisors
import Linux
import QMP

/// Takes a stack down: shuts guests and containers down, ends hypervisors and OS VMs, and leaves nothing.
struct StackDown {
    let name: String
    let store: StackStore
    /// How long a guest may take to shut itself down after the power button, a container after SIGTERM; then it is ended.
    let grace: Duration
    let tell: @Sendable (StackProgress) -> Void

    func run() async throws(HyperFreshError) {
        let stack = try store.stack(name)
        for spec in stack.hypervisors {
            let lock = try store.lock(spec.name)
            defer { lock.release() }
            try await takeDown(spec, stack)
        }
        for container in stack.containers { ContainerStoreFile(container, in: stack).remove() }
        GuestMemoryFile.removeFolder(of: stack)
        ContainerStoreFile.removeFolder(of: stack)
        store.forget(stack: stack.name)
    }

    /// Ends one hypervisor, in whose lock the caller is.
    func takeDown(_ spec: HypervisorSpec, _ stack: Stack) async throws(HyperFreshError) {
        let begin = ContinuousClock.now
        tell(.step("\(spec.kind) \(spec.name) goes down"))
        for record in store.instances(of: spec.name) where record.process.isAlive {
            if grace > .zero { await shutDownTenants(of: record, spec, stack) }
            try await end(record, spec)
        }
        for guest in spec.guests { GuestMemoryFile(guest, in: stack).remove() }
        // Its own, and what was relocated to it; not what is in another by now.
        for container in store.containers(of: spec, in: stack) { ContainerStoreFile(container, in: stack).remove() }
        store.forget(hypervisor: spec.name)
        tell(.done("\(spec.kind) \(spec.name) goes down", milliseconds: (.now - begin).milliseconds))
    }

    /// Best effort: what does not answer is ended with its hypervisor.
    private func shutDownTenants(of record: InstanceRecord, _ spec: HypervisorSpec, _ stack: Stack) async {
        let folder = store.folder(spec.name, record.id)
        guard let hypervisor = try? await Hypervisor.reach(record, in: folder, within: .seconds(2)) else { return }
        defer { hypervisor.close() }
        let placement = store.placement(of: spec.name)
        let guests = spec.guests.filter { placement[$0.name] == record.id }
        await withTaskGroup(of: Void.self) { group in
            for guest in guests {
                let seat = GuestSeat(stack: stack, guest: guest, hypervisor: hypervisor)
                group.addTask { await GuestShutdown(seat: seat, grace: grace).run() }
            }
            for container in stack.containers where placement[container.name] == record.id {
                let seat = ContainerSeat(stack: stack, container: container, hypervisor: hypervisor)
                group.addTask { try? await seat.stop(grace: grace) }
            }
        }
    }

    private func end(_ record: InstanceRecord, _ spec: HypervisorSpec) async throws(HyperFreshError) {
        do throws(SystemError) {
            let handle = try ProcessHandle(record.process)
            try? handle.signal(9)
            if await handle.waitForExit(within: .seconds(20)) { return }
        } catch {
            // It ended by itself meanwhile.
            if !record.process.isAlive { return }
        }
        throw HyperFreshError(
            "\(spec.kind) \(spec.name) (pid \(record.process.pid)) does not end",
            remedy: "End it, then run the same again.",
            exitCode: RefreshOutcome.incomplete.exitCode)
    }
}
