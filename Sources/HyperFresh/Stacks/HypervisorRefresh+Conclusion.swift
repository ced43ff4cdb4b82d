import Linux
import StackFile
import VirtualMachines

extension HypervisorRefresh {
    /// Says what came of it, and removes the hypervisor that has no guest any more.
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
        // A guest that is gone is worse than one that stayed.
        if let worst = report.guests.first(where: { $0.outcome == .lost }) ?? failed { explain(worst, plan, &report) }
    }

    private func explain(_ failed: HandoffReport, _ plan: HypervisorAdmission.Plan, _ report: inout HypervisorReport) {
        var failure = failed.failure ?? HyperFreshError("it could not be handed over", remedy: "")
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
            // Guests that had been shut down have no QEMU to hand over; they are the new one's to start.
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

    /// Removes a new hypervisor that got no guest.
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
