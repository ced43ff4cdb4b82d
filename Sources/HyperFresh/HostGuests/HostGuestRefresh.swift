import Guests
import Handoff
import Linux
import QMP

/// One refresh of one guest of this host, from request to report.
struct HostGuestRefresh: Sendable {
    let request: RefreshRequest
    let host: Host
    let driver: HandoffDriver
    let clock: PhaseClock

    func run() async -> HandoffReport {
        var report = HandoffReport(request.guest, operation: "refresh guest")
        do throws(HyperFreshError) {
            try await perform(&report)
        } catch {
            report.outcome = RefreshOutcome(ofUnbegun: error)
            report.failure = error
        }
        clock.end()
        report.phases = clock.timings
        report.totalMilliseconds = clock.totalMilliseconds
        return report
    }

    private func perform(_ report: inout HandoffReport) async throws(HyperFreshError) {
        clock.begin(.preflight)
        let admission = try await HostGuestAdmission.prepare(request, host: host)
        report.guest = admission.process.name
        report.findings = admission.findings
        report.old = admission.oldSide
        guard let ready = admission.ready else { return block(&report, admission) }
        let facts = HostGuestFacts(ready, isRehearsal: request.isRehearsal)
        let run = HandoffRun(
            host: host, driver: driver, clock: clock, maximumDowntime: request.maximumDowntime,
            timeout: request.timeout)
        do throws(HyperFreshError) {
            try await run.perform(.hostGuest(facts), id: ready.handoffID, lock: ready.lock, &report) { context in
                HostGuestSides(old: ready.old, plan: ready.plan, facts: facts, context: context)
            }
        } catch {
            admission.close()
            var failure = error
            failure.guestState = Self.untouched(admission)
            throw failure
        }
    }

    /// Reports a failed preflight: the error has the first reason, the findings list all.
    private func block(_ report: inout HandoffReport, _ admission: HostGuestAdmission) {
        report.outcome = .blocked
        guard let reason = report.findings.first(where: { $0.severity == .fail }) else { return }
        report.failure = HyperFreshError(
            "\(report.guest) cannot be refreshed: \(reason.message) (\(reason.id))",
            guestState: Self.untouched(admission), remedy: reason.remedy ?? "See docs/preflight.md.",
            exitCode: RefreshOutcome.blocked.exitCode)
    }

    private static func untouched(_ admission: HostGuestAdmission) -> String {
        "Nothing was touched: the guest runs on pid \(admission.process.identity.pid) as before."
    }
}

extension RefreshOutcome {
    /// The outcome of a refresh that did not begin a handoff.
    fileprivate init(ofUnbegun error: HyperFreshError) {
        self =
            switch error.exitCode {
            case HyperFreshError.usage: .noGuest
            case Self.blocked.exitCode: .blocked
            default: .rolledBack
            }
    }
}
