import Handoff
import Linux
import Logging
import QMP
import StackFile
import VirtualMachines

/// One refresh of one hypervisor, from request to report.
///
/// Before the first guest is stopped, every failure removes the new hypervisor and leaves everything else untouched.
/// After that, each guest has its own commit, and the same command, run again, finishes the ones that failed.
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
            // A new hypervisor that could not be removed is worse than the failure before it.
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
                "instance \(new.record.id) of an earlier refresh exists: the remaining \(plan.spec.kind.tenant)s are "
                    + "moved to it" + (request.image == nil ? "" : "; --image is ignored"))
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
            prepared.guests.map {
                HypervisorGuestHandoff(
                    guest: $0, hypervisor: plan.spec.name, stack: plan.stack.name, group: group)
            }
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

    /// Runs work that a cancellation or the deadline interrupts, and waits for its end, so that nothing runs
    /// unobserved.
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
            guestState: "Every \(request.kind.tenant) runs where it was.", remedy: "Allow more time with --timeout.",
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

// MARK: - Preparation

extension HypervisorRefresh {
    /// Everything that the handoffs need.
    struct Prepared: Sendable {
        var guests: [HypervisorGuestHandoff.Prepared] = []
        var containers: [Container] = []

        struct Container: Sendable {
            let old: ContainerPlacement
            let new: ContainerPlacement
        }
    }

    /// Attaches everything to the new hypervisor; nothing is stopped yet.
    func attach(
        _ plan: HypervisorAdmission.Plan, new: Hypervisor
    ) async throws(HyperFreshError) -> Prepared {
        try await timed(.attach) { () throws(HyperFreshError) in
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
    ) async throws(HyperFreshError) -> HypervisorGuestHandoff.Prepared {
        let placement = GuestPlacement(stack: stack, guest: guest, hypervisor: new)
        try placement.memoryFile.verify()
        try await placement.attach()
        let device = try await placement.prepare()
        let oldPlacement = GuestPlacement(stack: stack, guest: guest, hypervisor: old)
        do throws(HypervisorError) {
            let address = try await old.memoryAddress(of: guest.name)
            let oldDevice = try await CoMapping.find(at: address, by: old.agent)
            let channel = StateChannel(guest: guest.name, old: old, new: new)
            try await channel.open()
            let client = try await withLogger(
                mergingMetadata: ["side": "old", "guest": "\(guest.name)"]
            ) { _ async throws(HypervisorError) in
                try await oldPlacement.connect()
            }
            return HypervisorGuestHandoff.Prepared(
                old: InnerQEMU(placement: oldPlacement, device: oldDevice, client: client), placement: placement,
                device: device, channel: channel)
        } catch {
            throw HyperFreshError(error, in: "guest \(guest.name)")
        }
    }

    private func prepare(
        _ container: ContainerSpec, _ stack: Stack, old: Hypervisor, new: Hypervisor
    ) async throws(HyperFreshError) -> Prepared.Container {
        let (old, new) = (
            ContainerPlacement(stack: stack, container: container, hypervisor: old),
            ContainerPlacement(stack: stack, container: container, hypervisor: new)
        )
        try new.storeFile.verify()
        try await new.makeReady()
        try await ContainerAdmission.check(container, old: old.place, new: new.place)
        return Prepared.Container(old: old, new: new)
    }
}

// MARK: - Conclusion

extension HypervisorRefresh {
    /// Sets the outcome of the report, and removes the hypervisor that has no guest any more.
    func conclude(
        _ plan: HypervisorAdmission.Plan, new: Hypervisor, _ report: inout HypervisorReport
    ) async {
        let outcomes = report.guests.map(\.outcome)
        let failed = report.guests.first { $0.outcome != .refreshed && $0.outcome != .rehearsed && $0.outcome != .lost }
        let onNew = outcomes.contains { $0 == .refreshed || $0 == .incomplete } || plan.isFinishing
        if request.isRehearsal || (failed != nil && !onNew && !outcomes.contains(.unknown)) {
            report.outcome = failed?.outcome ?? .rehearsed
            await discard(new, unlessFinishing: plan, &report)
        } else if failed == nil {
            await retireOld(plan, new: new, &report)
        } else {
            report.outcome = outcomes.contains(.unknown) ? .unknown : .incomplete
        }
        if outcomes.contains(.lost) { report.outcome = .lost }
        guard report.failure == nil else { return }
        // A lost guest is worse than one that stayed.
        if let worst = report.guests.first(where: { $0.outcome == .lost }) ?? failed { explain(worst, plan, &report) }
    }

    private func explain(_ failed: HandoffReport, _ plan: HypervisorAdmission.Plan, _ report: inout HypervisorReport) {
        var failure =
            failed.failure
            ?? HyperFreshError("it could not be handed over", remedy: "`hyperfresh history --json` has the details.")
        failure.message = "\(plan.spec.kind.tenant) \(failed.guest): \(failure.message)"
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
            failure.remedy =
                "Run the same command again: it moves the \(plan.spec.kind.tenant)s that are left. \(failure.remedy)"
        }
        report.failure = failure
    }

    private func retireOld(
        _ plan: HypervisorAdmission.Plan, new: Hypervisor, _ report: inout HypervisorReport
    ) async {
        do throws(HyperFreshError) {
            // Guests that were shut down have no QEMU to hand over; the new instance will start them.
            for guest in plan.stoppedGuests { try store.place(guest, on: new.record.id, of: plan.spec.name) }
            try await timed(.retire) { () throws(HyperFreshError) in
                try await InstanceEnd(store: store).run(plan.old)
            }
            report.outcome = .refreshed
        } catch {
            var failure = error
            failure.guestState = "Every \(plan.spec.kind.tenant) that was handed over is on instance \(new.record.id)."
            report.outcome = error.exitCode == RefreshOutcome.unknown.exitCode ? .unknown : .incomplete
            failure.exitCode = report.outcome.exitCode
            report.failure = failure
        }
    }

    /// Removes a new hypervisor that has received no guest.
    func discard(
        _ new: Hypervisor, unlessFinishing plan: HypervisorAdmission.Plan, _ report: inout HypervisorReport
    ) async {
        guard !plan.isFinishing else { return }
        do throws(HyperFreshError) { try await InstanceEnd(store: store).run(new, isOwn: true) } catch {
            report.outcome = .unknown
            report.failure = error
        }
    }
}
