import Handoff
import Linux
import StackFile
import VirtualMachines

/// One refresh of one hypervisor, from request to report.
///
/// Before the first guest is stopped, every failure ends with the new hypervisor gone and nothing touched. From then on each
/// guest has a commit of its own, and what failed can be finished by running the same again.
struct HypervisorRefresh: Sendable {
    let request: HypervisorRefreshRequest
    let host: Host
    let cancellation: Cancellation
    let tell: @Sendable (Progress<HypervisorReport>) -> Void
    let clock: PhaseClock
    private let began = ContinuousClock.now

    var store: StackStore { StackStore(stateDirectory: host.stateDirectory) }
    private var remaining: Duration { request.timeout - (ContinuousClock.now - began) }

    init(
        _ request: HypervisorRefreshRequest, host: Host, cancellation: Cancellation,
        tell: @escaping @Sendable (Progress<HypervisorReport>) -> Void
    ) {
        self.request = request
        self.host = host
        self.cancellation = cancellation
        self.tell = tell
        clock = PhaseClock { tell(.event($0)) }
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
        report.phases = clock.timings
        report.totalMilliseconds = clock.totalMilliseconds
        return report
    }

    private func perform(
        _ stack: Stack, _ spec: HypervisorSpec, _ report: inout HypervisorReport
    ) async throws(HyperFreshError) {
        let admission = HypervisorAdmission(stack: stack, spec: spec, store: store, request: request)
        let plan = try await timed(.admission) { () throws(HyperFreshError) in try await admission.run() }
        defer { plan.old.close() }
        report.old = InstanceReport(plan.old.record)
        let new = try await newHypervisor(plan)
        defer { new.close() }
        report.new = InstanceReport(new.record)
        do throws(HyperFreshError) {
            let prepared = try await attach(plan, new: new)
            report.guests = await handOver(prepared, plan)
        } catch {
            await discard(new, unlessFinishing: plan, &report)
            if let leftover = report.failure { throw error.adding(evidence: [leftover.message] + leftover.evidence) }
            throw error
        }
        await conclude(plan, new: new, &report)
    }

    // MARK: Phases

    private func newHypervisor(
        _ plan: HypervisorAdmission.Plan
    ) async throws(HyperFreshError) -> Hypervisor {
        if let new = plan.new {
            clock.note(
                "instance \(new.record.id) of an earlier refresh is there: the \(plan.spec.kind.tenant)s that are left are brought to it"
                    + (request.image == nil ? "" : ", whatever --image says"))
            return new
        }
        let boot = HypervisorBoot(stack: plan.stack, spec: plan.spec, image: plan.image, store: store, boot: remaining)
        return try await timed(.boot) { () throws(HyperFreshError) in
            try await cancellable { () throws(HyperFreshError) in try await boot.run() }
        }
    }

    private func handOver(_ prepared: Prepared, _ plan: HypervisorAdmission.Plan) async -> [HandoffReport] {
        let order = prepared.guests.map(\.placement.guest.name) + prepared.containers.map(\.new.container.name)
        let group = HandoffGroup(
            order, limit: request.parallelism, isNewOwn: !plan.isFinishing, isRehearsal: request.isRehearsal)
        cancellation.onCancel { group.callOff() }
        let handoffs: [any GroupedHandoff] =
            prepared.guests.map { HypervisorGuestHandoff(guest: $0, plan: plan, group: group) }
            + prepared.containers.map {
                ContainerHandoff(stack: plan.stack, old: $0.old, new: $0.new, group: group)
            }
        let timeout = max(remaining, .seconds(1))
        return await timed(.handover) {
            await withTaskGroup(of: HandoffReport.self) { tasks in
                for handoff in handoffs {
                    tasks.addTask { await handoff.perform(self.run(of: handoff.name, timeout: timeout)) }
                }
                var ended: [HandoffReport] = []
                for await report in tasks { ended.append(report) }
                return order.compactMap { name in ended.first { $0.guest == name } }
            }
        }
    }

    private func run(of guest: String, timeout: Duration) -> HandoffRun {
        let driver = HandoffDriver(isRehearsal: request.isRehearsal)
        cancellation.onCancel { driver.happened(.cancelled) }
        return HandoffRun(
            host: host, driver: driver, clock: PhaseClock { tell(.guest(guest, $0)) },
            maximumDowntime: request.maximumDowntime, timeout: timeout)
    }

    // MARK: Time

    /// Work that cancellation and the deadline cut short; it is still waited for, so that nothing runs unseen.
    func cancellable<T: Sendable>(
        _ work: @escaping @Sendable () async throws(HyperFreshError) -> T
    ) async throws(HyperFreshError) -> T {
        let task = Task { () -> Result<T, HyperFreshError> in
            do throws(HyperFreshError) { return .success(try await work()) } catch { return .failure(error) }
        }
        let deadline = Task { [remaining] in
            if (try? await Task.sleep(for: remaining)) != nil { task.cancel() }
        }
        let handler = cancellation.onCancel { task.cancel() }
        defer {
            deadline.cancel()
            cancellation.remove(handler)
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
        _ phase: Phase, _ work: () async throws(HyperFreshError) -> T
    ) async throws(HyperFreshError) -> T {
        clock.begin(phase)
        defer { clock.end() }
        return try await work()
    }

    func timed<T>(_ phase: Phase, _ work: () async -> T) async -> T {
        clock.begin(phase)
        defer { clock.end() }
        return await work()
    }
}
