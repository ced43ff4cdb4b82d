import Containers
import Handoff
import Linux
import StackFile
import VirtualMachines

/// One relocation of one container, from request to report.
struct ContainerRelocation: Sendable {
    let request: RelocationRequest
    let host: Host
    let cancellation: Cancellation
    let tell: @Sendable (Progress<RelocationReport>) -> Void
    let clock: PhaseClock

    private var store: StackStore { StackStore(stateDirectory: host.stateDirectory) }

    init(
        _ request: RelocationRequest, host: Host, cancellation: Cancellation,
        tell: @escaping @Sendable (Progress<RelocationReport>) -> Void
    ) {
        self.request = request
        self.host = host
        self.cancellation = cancellation
        self.tell = tell
        clock = PhaseClock { tell(.event($0)) }
    }

    func run() async -> RelocationReport {
        var report = RelocationReport(container: request.container, to: request.target)
        do throws(HyperFreshError) {
            let route = try find()
            report.from = route.source.name
            try await withLocks(route, &report)
        } catch {
            report.failure = error
            if report.handover == nil { report.outcome = error.exitCode == 1 ? .rolledBack : .blocked }
        }
        report.totalMilliseconds = clock.totalMilliseconds
        return report
    }

    // MARK: Finding the container and both OS VMs

    private struct Route {
        let stack: Stack
        let container: ContainerSpec
        let source: HypervisorSpec
        let target: HypervisorSpec
    }

    private func find() throws(HyperFreshError) -> Route {
        let (found, damage) = try store.search { stack in
            stack.containers.first { $0.name == request.container }.map { (stack, $0) }
        }
        guard let (stack, container) = found else {
            guard damage.isEmpty else {
                throw .damaged(damage, of: "stacks (one of which may have \(request.container))")
            }
            throw HyperFreshError(
                "there is no container \(request.container)",
                remedy: "`hyperfresh ps` lists the containers of this host.",
                exitCode: HyperFreshError.usage)
        }
        guard let target = stack.systems.first(where: { $0.name == request.target }) else {
            throw HyperFreshError(
                "stack \(stack.name) has no OS VM \(request.target)",
                remedy: "Use one of: \(stack.systems.map(\.name).joined(separator: ", ")).",
                exitCode: HyperFreshError.usage)
        }
        guard let source = try store.place(ofContainer: container.name, in: stack)?.system else {
            throw HyperFreshError(
                "container \(container.name) is in no OS VM", remedy: "Start it: `hyperfresh up STACK-FILE`.",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
        try compare(source, target)
        return Route(stack: stack, container: container, source: source, target: target)
    }

    private func compare(_ source: HypervisorSpec, _ target: HypervisorSpec) throws(HyperFreshError) {
        if let expected = request.source, expected != source.name {
            throw HyperFreshError(
                "container \(request.container) is in \(source.name), not in \(expected)",
                guestState: "Nothing was touched.", remedy: "`hyperfresh ps` shows where containers are.",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
        guard source.name != target.name else {
            throw HyperFreshError(
                "container \(request.container) is in \(target.name) already", guestState: "Nothing was touched.",
                remedy: "Name another OS VM. To replace this one: `hyperfresh refresh os \(target.name)`.",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
    }

    // MARK: Relocating it

    private func withLocks(_ route: Route, _ report: inout RelocationReport) async throws(HyperFreshError) {
        // Always in the same order, so that two relocations do not wait for each other.
        let names = [route.source.name, route.target.name].sorted()
        let first = try store.lock(names[0])
        defer { first.release() }
        let second = try store.lock(names[1])
        defer { second.release() }
        try FileUse.refuseStrangers(
            FileUse.Claim.all(of: route.container, in: route.stack), known: try store.processes(of: route.stack))
        let old = try await instance(of: route.source, in: route.stack)
        defer { old.close() }
        report.old = InstanceReport(old.record)
        let new = try await instance(of: route.target, in: route.stack)
        defer { new.close() }
        report.new = InstanceReport(new.record)
        try await relocate(
            from: ContainerPlacement(stack: route.stack, container: route.container, hypervisor: old),
            to: ContainerPlacement(stack: route.stack, container: route.container, hypervisor: new), &report)
    }

    /// Returns the only instance of an OS VM, after comparing it with its records.
    private func instance(of spec: HypervisorSpec, in stack: Stack) async throws(HyperFreshError) -> Hypervisor {
        try HandoffEntry.refuseUnfinished(of: spec.name, in: store)
        let records = try store.survey(spec.name).records()
        let alive = records.alive
        guard alive.count == 1, let record = alive.first else {
            throw HyperFreshError(
                alive.isEmpty
                    ? "OS VM \(spec.name) does not run"
                    : "a refresh of OS VM \(spec.name) is in progress or was interrupted",
                guestState: "Nothing was touched.",
                remedy: alive.isEmpty ? "Start it: `hyperfresh up STACK-FILE`." : "Finish it: `hyperfresh recover`.",
                exitCode: RefreshOutcome.blocked.exitCode)
        }
        let system: Hypervisor
        do throws(HypervisorError) {
            system = try await store.reach(record)
        } catch {
            throw HyperFreshError(error, in: "OS VM \(record.hypervisor)")
        }
        do throws(HyperFreshError) {
            _ = try await TenantCheck(stack: stack, spec: spec).run(system, records.placement)
            return system
        } catch {
            system.close()
            throw error
        }
    }

    private func relocate(
        from old: ContainerPlacement, to new: ContainerPlacement, _ report: inout RelocationReport
    ) async throws(HyperFreshError) {
        guard try await old.hasProcesses() else {
            throw HyperFreshError(
                "container \(old.container.name) has ended", guestState: "Nothing was touched.",
                remedy: "Start it again: `hyperfresh up STACK-FILE`.", exitCode: RefreshOutcome.blocked.exitCode)
        }
        try old.storeFile.verify(mappedBy: old.hypervisor.record.process)
        do throws(HyperFreshError) {
            try await prepare(from: old, to: new)
            let driver = HandoffDriver(isRehearsal: request.isRehearsal)
            cancellation.onCancel { driver.happened(.cancelled) }
            let handoff = ContainerHandoff(
                stack: old.stack, old: old, new: new,
                group: HandoffGroup(
                    [old.container.name], limit: 1, isNewOwn: false, isRehearsal: request.isRehearsal))
            let handover = await handoff.perform(
                HandoffRun(
                    host: host, driver: driver, clock: PhaseClock { tell(.event($0)) },
                    maximumDowntime: request.maximumDowntime,
                    timeout: max(.seconds(1), request.timeout - .milliseconds(Int(clock.totalMilliseconds)))))
            report.handover = handover
            report.outcome = handover.outcome
            report.failure = handover.failure
        } catch {
            await leave(new)
            throw error
        }
        switch report.outcome {
        case .refreshed: await leave(old)
        case .rehearsed, .rolledBack, .timedOut: await leave(new)
        default: break
        }
    }

    /// Removes the container's devices from an OS VM that does not have it; any that remain go when the OS VM ends.
    private func leave(_ placement: ContainerPlacement) async {
        do throws(HyperFreshError) { try await placement.vacate() } catch {
            clock.note(
                "some of the container's devices remain in \(placement.hypervisor.record.hypervisor): \(error.message)")
        }
    }

    private func prepare(from old: ContainerPlacement, to new: ContainerPlacement) async throws(HyperFreshError) {
        clock.begin(.prepare)
        defer { clock.end() }
        try await new.makeReady()
        try await ContainerAdmission.check(old.container, old: old.place, new: new.place)
    }
}
