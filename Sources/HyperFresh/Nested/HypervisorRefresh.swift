import Handoff
import Hypervisors
import Linux
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
        var report = HypervisorReport(request.kind, named: request.hypervisor)
        do throws(HyperFreshError) {
            let (stack, spec) = try store.stack(of: request.hypervisor)
            guard spec.kind == request.kind else {
                throw HyperFreshError(
                    "\(spec.name) is \(spec.kind == .os ? "an" : "a") \(spec.kind)",
                    remedy: "Run `hyperfresh refresh \(spec.kind.rawValue) \(spec.name)`.",
                    exitCode: HyperFreshError.usage)
            }
            let lock = try store.lock(spec.name)
            defer { lock.release() }
            try await perform(stack, spec, &report)
        } catch {
            report.failure = error
            // A new hypervisor that could not be removed is worse than why it was to be.
            if report.outcome != .unknown {
                report.outcome =
                    switch error.exitCode {
                    case RefreshOutcome.blocked.exitCode, HyperFreshError.usage: .blocked
                    case RefreshOutcome.timedOut.exitCode: .timedOut
                    case RefreshOutcome.unknown.exitCode: .unknown
                    default: report.outcome
                    }
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
        var handovers: [TenantHandover] = []
        do throws(HyperFreshError) {
            let prepared = try await attach(plan, new: new, &report)
            handovers = await handOver(prepared, plan, &report)
        } catch {
            await discard(new, unlessFinishing: plan, &report)
            if let leftover = report.failure { throw error.adding(evidence: [leftover.message] + leftover.evidence) }
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
                    "instance \(new.record.id) of an earlier refresh is there: the \(plan.spec.kind.tenant)s that are left are brought to it"
                        + (request.image == nil ? "" : ", whatever --image says")))
            return new
        }
        let boot = HypervisorBoot(stack: plan.stack, spec: plan.spec, image: plan.image, store: store, boot: remaining)
        return try await timed(.boot, &report) { () throws(HyperFreshError) in
            try await cancellable { () throws(HyperFreshError) in try await boot.run() }
        }
    }

    private func handOver(
        _ prepared: Prepared, _ plan: HypervisorAdmission.Plan, _ report: inout HypervisorReport
    ) async -> [TenantHandover] {
        let order = prepared.guests.map(\.seat.guest.name) + prepared.containers.map(\.new.container.name)
        let group = HandoverGroup(order, limit: request.parallelism, isNewOwn: !plan.isFinishing)
        let isCancelled = state.withLock { state in
            state.group = group
            return state.isCancelled
        }
        if isCancelled { group.callOff() }
        let handoffs = handoffs(prepared, plan, group)
        return await timed(.handover, &report) {
            await withTaskGroup(of: TenantHandover.self) { tasks in
                for handoff in handoffs {
                    tasks.addTask {
                        await handoff.run(register: self.register, tell: { self.tell(.guest(handoff.name, $0)) })
                    }
                }
                var ended: [TenantHandover] = []
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

    // MARK: Time

    /// Work that ``cancel()`` and the deadline cut short; it is still waited for, so that nothing runs unseen.
    func cancellable<T: Sendable>(
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
            "the new \(request.kind) was not ready within \(request.timeout)",
            guestState: "Every \(request.kind.tenant) runs where it was.", remedy: "Allow more with --timeout.",
            evidence: [failure.message] + failure.evidence, exitCode: RefreshOutcome.timedOut.exitCode)
    }

    func timed<T>(
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

    func timed<T>(
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
