import Guests
import Handoff
import Hypervisors
import Linux
import QMP
import Synchronization

/// One refresh of one hypervisor, from request to report.
///
/// Before the first guest is stopped, every failure ends with the new hypervisor gone and nothing touched. From then on each
/// guest has a commit of its own, and what failed can be finished by running the same again.
final class HypervisorRefresh: Sendable {
    let request: HypervisorRefreshRequest
    let host: Host
    let tell: @Sendable (HypervisorProgress) -> Void
    private let began = ContinuousClock.now

    private struct State {
        var isCancelled = false
        var group: HandoverGroup?
        var drivers: [HandoffDriver] = []
        /// Cuts short what goes on before the first handoff.
        var cutShort: (@Sendable () -> Void)?
    }
    private let state = Mutex(State())

    var store: StackStore { StackStore(stateDirectory: host.stateDirectory) }
    private var remaining: Duration { request.timeout - (ContinuousClock.now - began) }

    init(
        _ request: HypervisorRefreshRequest, host: Host, tell: @escaping @Sendable (HypervisorProgress) -> Void
    ) {
        self.request = request
        self.host = host
        self.tell = tell
    }

    /// Rolls back what is not committed; what is goes on to its end.
    func cancel() {
        let (group, drivers, cutShort) = state.withLock { state in
            state.isCancelled = true
            return (state.group, state.drivers, state.cutShort)
        }
        cutShort?()
        group?.callOff()
        for driver in drivers { driver.happened(.cancelled) }
    }

    func run() async -> HypervisorReport {
        var report = HypervisorReport(hypervisor: request.hypervisor)
        do throws(HyperFreshError) {
            let (stack, spec) = try store.stack(of: request.hypervisor)
            guard spec.isSystem == request.isOfSystem else {
                throw HyperFreshError(
                    "\(spec.name) is \(spec.isSystem ? "an OS VM" : "a hypervisor")",
                    remedy: "Run `hyperfresh refresh \(spec.isSystem ? "os" : "hypervisor") \(spec.name)`.",
                    exitCode: HyperFreshError.usage)
            }
            let lock = try store.lock(spec.name)
            defer { lock.release() }
            try await perform(stack, spec, &report)
        } catch {
            report.failure = error
            report.outcome =
                switch error.exitCode {
                case RefreshOutcome.blocked.exitCode, HyperFreshError.usage: .blocked
                case RefreshOutcome.timedOut.exitCode: .timedOut
                default: report.outcome
                }
        }
        report.totalMilliseconds = (.now - began).milliseconds
        return report
    }

    private func perform(
        _ stack: Stack, _ spec: HypervisorSpec, _ report: inout HypervisorReport
    ) async throws(HyperFreshError) {
        let admission = HypervisorAdmission(stack: stack, spec: spec, store: store, request: request)
        let plan = try await timed(.admission, &report) { () throws(HyperFreshError) in try await admission.run() }
        defer { plan.old.close() }
        report.old = InstanceReport(plan.old.record)
        let new = try await newHypervisor(plan, &report)
        defer { new.close() }
        report.new = InstanceReport(new.record)
        var handovers: [GuestHandover] = []
        do throws(HyperFreshError) {
            let prepared = try await attach(plan, new: new, &report)
            handovers = await handOver(prepared, plan, &report)
        } catch {
            await discard(new, unlessFinishing: plan)
            throw error
        }
        report.guests = handovers
        await conclude(plan, new: new, &report)
    }

    // MARK: Phases

    private func newHypervisor(
        _ plan: HypervisorAdmission.Plan, _ report: inout HypervisorReport
    ) async throws(HyperFreshError) -> Hypervisor {
        if let new = plan.new {
            tell(
                .note(
                    "instance \(new.record.id) of an earlier refresh is there: the guests that are left are brought to it"
                        + (request.image == nil ? "" : ", whatever --image says")))
            return new
        }
        let boot = HypervisorBoot(stack: plan.stack, spec: plan.spec, image: plan.image, store: store, boot: remaining)
        return try await timed(.boot, &report) { () throws(HyperFreshError) in
            try await cancellable { () throws(HyperFreshError) in try await boot.run() }
        }
    }

    /// All that the handoffs need.
    struct Prepared: Sendable {
        var guests: [Guest] = []
        var containers: [Container] = []

        struct Container: Sendable {
            let old: ContainerSeat
            let new: ContainerSeat
        }

        struct Guest: Sendable {
            let old: InnerQEMU
            let seat: GuestSeat
            let device: MemoryDevice
            let channel: StateChannel
        }
    }

    private func attach(
        _ plan: HypervisorAdmission.Plan, new: Hypervisor, _ report: inout HypervisorReport
    ) async throws(HyperFreshError) -> Prepared {
        try await timed(.attach, &report) { () throws(HyperFreshError) in
            try await cancellable { () throws(HyperFreshError) in
                var prepared = Prepared()
                do throws(HyperFreshError) {
                    for guest in plan.guests {
                        prepared.guests.append(try await self.prepare(guest, plan.stack, old: plan.old, new: new))
                    }
                    for container in plan.containers {
                        prepared.containers.append(
                            try await self.prepare(container, plan.stack, old: plan.old, new: new))
                    }
                } catch {
                    for guest in prepared.guests {
                        guest.old.client.close()
                        await guest.channel.close()
                    }
                    throw error
                }
                return prepared
            }
        }
    }

    private func prepare(
        _ guest: InnerGuestSpec, _ stack: Stack, old: Hypervisor, new: Hypervisor
    ) async throws(HyperFreshError) -> Prepared.Guest {
        let seat = GuestSeat(stack: stack, guest: guest, hypervisor: new)
        try seat.memoryFile.verify()
        try await seat.attach()
        let device = try await seat.prepare()
        let oldSeat = GuestSeat(stack: stack, guest: guest, hypervisor: old)
        do throws(HypervisorError) {
            let address = try await old.memoryAddress(of: guest.name)
            let oldDevice = try await CoMapping.find(at: address, by: old.agent)
            let channel = StateChannel(guest: guest.name, old: old, new: new)
            try await channel.open()
            let client = try await oldSeat.connect()
            return Prepared.Guest(
                old: InnerQEMU(seat: oldSeat, device: oldDevice, client: client), seat: seat, device: device,
                channel: channel)
        } catch {
            throw HyperFreshError(error)
        }
    }

    private func prepare(
        _ container: ContainerSpec, _ stack: Stack, old: Hypervisor, new: Hypervisor
    ) async throws(HyperFreshError) -> Prepared.Container {
        let (old, new) = (
            ContainerSeat(stack: stack, container: container, hypervisor: old),
            ContainerSeat(stack: stack, container: container, hypervisor: new)
        )
        try new.storeFile.verify()
        try await new.makeReady()
        try await ContainerAdmission.check(container, old: old.place, new: new.place)
        return Prepared.Container(old: old, new: new)
    }

    private func handOver(
        _ prepared: Prepared, _ plan: HypervisorAdmission.Plan, _ report: inout HypervisorReport
    ) async -> [GuestHandover] {
        let order = prepared.guests.map(\.seat.guest.name) + prepared.containers.map(\.new.container.name)
        let group = HandoverGroup(order, limit: request.parallelism, newHasGuests: plan.isFinishing)
        let isCancelled = state.withLock { state in
            state.group = group
            return state.isCancelled
        }
        if isCancelled { group.callOff() }
        let handoffs = handoffs(prepared, plan, group)
        return await timed(.handover, &report) {
            await withTaskGroup(of: GuestHandover.self) { tasks in
                for handoff in handoffs {
                    tasks.addTask {
                        await handoff.run(register: self.register, tell: { self.tell(.guest(handoff.name, $0)) })
                    }
                }
                var ended: [GuestHandover] = []
                for await handover in tasks { ended.append(handover) }
                return order.compactMap { name in ended.first { $0.guest == name } }
            }
        }
    }

    private func handoffs(
        _ prepared: Prepared, _ plan: HypervisorAdmission.Plan, _ group: HandoverGroup
    ) -> [any TenantHandoff] {
        let timeout = max(remaining, .seconds(1))
        let guests = prepared.guests.map {
            InnerHandoff(guest: $0, plan: plan, group: group, host: host, request: request, timeout: timeout)
        }
        let containers = prepared.containers.map {
            ContainerHandoff(
                stack: plan.stack, old: $0.old, new: $0.new, group: group, host: host,
                isRehearsal: request.isRehearsal, maximumDowntime: request.maximumDowntime, timeout: timeout)
        }
        return guests + containers
    }

    private func register(_ driver: HandoffDriver) {
        let isCancelled = state.withLock { state in
            state.drivers.append(driver)
            return state.isCancelled
        }
        if isCancelled { driver.happened(.cancelled) }
    }

    // MARK: The end

    private func conclude(
        _ plan: HypervisorAdmission.Plan, new: Hypervisor, _ report: inout HypervisorReport
    ) async {
        let outcomes = report.guests.map(\.outcome)
        let failed = report.guests.first { $0.outcome != .refreshed && $0.outcome != .rehearsed && $0.outcome != .lost }
        let onNew = outcomes.contains { $0 == .refreshed || $0 == .incomplete } || plan.isFinishing
        if request.isRehearsal || (failed != nil && !onNew && !outcomes.contains(.unknown)) {
            await discard(new, unlessFinishing: plan)
            report.outcome = failed?.outcome ?? .rehearsed
        } else if failed == nil {
            await retireOld(plan, new: new, &report)
        } else {
            report.outcome = outcomes.contains(.unknown) ? .unknown : .incomplete
        }
        if outcomes.contains(.lost) { report.outcome = .lost }
        // A guest that is gone is worse than one that stayed.
        if let worst = report.guests.first(where: { $0.outcome == .lost }) ?? failed { explain(worst, plan, &report) }
    }

    private func explain(_ failed: GuestHandover, _ plan: HypervisorAdmission.Plan, _ report: inout HypervisorReport) {
        var failure = failed.failure ?? HyperFreshError("guest \(failed.guest) could not be handed over", remedy: "")
        failure.message = "guest \(failed.guest): \(failure.message)"
        let moved = report.guests.filter { $0.outcome == .refreshed }.map(\.guest)
        let stayed = report.guests.filter { $0.outcome == .rolledBack || $0.outcome == .timedOut }.map(\.guest)
        var lines: [String] = []
        if !stayed.isEmpty {
            lines.append("On instance \(plan.old.record.id), as before: \(stayed.joined(separator: ", ")).")
        }
        if !moved.isEmpty { lines.append("On instance \(report.new?.id ?? "?"): \(moved.joined(separator: ", ")).") }
        failure.guestState = lines.isEmpty ? nil : lines.joined(separator: " ")
        failure.exitCode = report.outcome.exitCode
        if report.outcome == .incomplete {
            failure.remedy = "Run the same command again: it moves the guests that are left. \(failure.remedy)"
        }
        report.failure = failure
    }

    private func retireOld(
        _ plan: HypervisorAdmission.Plan, new: Hypervisor, _ report: inout HypervisorReport
    ) async {
        report.outcome = .refreshed
        let old = plan.old
        let isGone = await timed(.retire, &report) { await old.end() }
        guard isGone else {
            report.outcome = .incomplete
            report.failure = HyperFreshError(
                "the old hypervisor (pid \(old.record.process.pid)) did not end",
                guestState: "Every guest is on instance \(new.record.id).", remedy: "Run `hyperfresh recover`.",
                exitCode: RefreshOutcome.incomplete.exitCode)
            return
        }
        store.forget(plan.spec.name, instance: old.record.id)
        // Guests that had been shut down have no QEMU to hand over; they are the new one's to start.
        for guest in plan.stoppedGuests { try? store.place(guest, on: new.record.id, of: plan.spec.name) }
    }

    /// Removes a new hypervisor that got no guest.
    private func discard(_ new: Hypervisor, unlessFinishing plan: HypervisorAdmission.Plan) async {
        guard !plan.isFinishing, await new.end() else { return }
        store.forget(plan.spec.name, instance: new.record.id)
    }

    // MARK: Time

    /// Work that ``cancel()`` and the deadline cut short; it is still waited for, so that nothing runs unseen.
    private func cancellable<T: Sendable>(
        _ work: @escaping @Sendable () async throws(HyperFreshError) -> T
    ) async throws(HyperFreshError) -> T {
        let task = Task { () -> Result<T, HyperFreshError> in
            do throws(HyperFreshError) { return .success(try await work()) } catch { return .failure(error) }
        }
        let deadline = Task { [remaining] in
            if (try? await Task.sleep(for: remaining)) != nil { task.cancel() }
        }
        let isCancelled = state.withLock { state in
            state.cutShort = { task.cancel() }
            return state.isCancelled
        }
        if isCancelled { task.cancel() }
        defer {
            deadline.cancel()
            state.withLock { $0.cutShort = nil }
        }
        let result = await task.value
        if case .failure(let failure) = result { throw remaining < .zero ? late(failure) : failure }
        return try result.get()
    }

    private func late(_ failure: HyperFreshError) -> HyperFreshError {
        HyperFreshError(
            "the new hypervisor was not ready within \(request.timeout)",
            guestState: "Every guest runs where it was.", remedy: "Allow more with --timeout.",
            evidence: [failure.message] + failure.evidence, exitCode: RefreshOutcome.timedOut.exitCode)
    }

    private func timed<T>(
        _ phase: HypervisorPhase, _ report: inout HypervisorReport,
        _ work: () async throws(HyperFreshError) -> T
    ) async throws(HyperFreshError) -> T {
        tell(.began(phase))
        let begin = ContinuousClock.now
        defer {
            let milliseconds = (ContinuousClock.now - begin).milliseconds
            report.phases.append((phase, milliseconds))
            tell(.ended(phase, milliseconds: milliseconds))
        }
        return try await work()
    }

    private func timed<T>(
        _ phase: HypervisorPhase, _ report: inout HypervisorReport, _ work: () async -> T
    ) async -> T {
        tell(.began(phase))
        let begin = ContinuousClock.now
        let result = await work()
        let milliseconds = (ContinuousClock.now - begin).milliseconds
        report.phases.append((phase, milliseconds))
        tell(.ended(phase, milliseconds: milliseconds))
        return result
    }
}
