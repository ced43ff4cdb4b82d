import Guests
import Handoff
import Linux
import QMP
import Synchronization

/// One refresh of one guest, from request to report.
struct GuestRefresh: Sendable {
    let request: RefreshRequest
    let host: Host
    let driver: HandoffDriver
    let clock: PhaseClock

    func run() async -> RefreshReport {
        var report = RefreshReport(guest: request.guest)
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

    fileprivate static func untouched(_ preparation: GuestPreparation) -> String {
        "Nothing was touched: the guest runs on pid \(preparation.process.identity.pid) as before."
    }

    private func perform(_ report: inout RefreshReport) async throws(HyperFreshError) {
        clock.begin(.preflight)
        let preparation = try await GuestPreparation.prepare(request, host: host)
        report.take(preparation)
        guard let ready = preparation.ready else { return report.block(preparation) }
        let facts = HandoffFacts(ready, isRehearsal: request.isRehearsal)
        let journal: HandoffJournal
        do throws(HyperFreshError) {
            journal = try HandoffJournal.begin(id: ready.handoffID, facts: facts.json, lock: ready.lock, host: host)
        } catch {
            preparation.close()
            var failure = error
            failure.guestState = Self.untouched(preparation)
            throw failure
        }
        report.id = journal.id
        clock.end()

        let scene = HandoffScene(
            journal: journal, driver: driver, clock: clock, maximumDowntime: request.maximumDowntime)
        let sides = QEMUSides(old: ready.old, plan: ready.plan, facts: facts, scene: scene)
        defer { sides.close() }
        scene.giveUp(after: request.timeout)
        let outcome = await driver.run(on: sides)
        clock.end()
        // What is claimed was seen a moment ago.
        let look = outcome == .refreshed || outcome == .incomplete ? await sides.lookAgain(after: outcome) : .sound(nil)
        report.conclude(outcome, look, sides: sides, timings: clock)
        journal.close(with: report.json, state: report.outcome == .lost ? .lost : driver.state)
    }
}

extension RefreshReport {
    init(guest: String) {
        self.guest = guest
        outcome = .rolledBack
    }

    fileprivate mutating func take(_ preparation: GuestPreparation) {
        guest = preparation.process.name
        findings = preparation.findings
        old = preparation.oldSide
    }

    /// Preflight failed: the first reason speaks, all of them are listed.
    fileprivate mutating func block(_ preparation: GuestPreparation) {
        outcome = .blocked
        guard let reason = findings.first(where: { $0.severity == .fail }) else { return }
        failure = HyperFreshError(
            "\(guest) cannot be refreshed: \(reason.message) (\(reason.id))",
            guestState: GuestRefresh.untouched(preparation),
            remedy: reason.remedy ?? "See docs/preflight.md.", exitCode: RefreshOutcome.blocked.exitCode)
    }

    fileprivate mutating func conclude(
        _ handoff: HandoffOutcome, _ look: LastLook, sides: QEMUSides, timings: PhaseClock
    ) {
        let state = sides.state.withLock { $0 }
        let outcome = sides.scene.outcome(of: handoff, seen: look)
        self.outcome = RefreshOutcome(outcome)
        phases = timings.timings
        totalMilliseconds = timings.totalMilliseconds
        if outcome == .refreshed || outcome == .incomplete { timing = state.transfer?.marks.timing }
        new = state.newIdentity.map {
            SideReport(
                pid: $0.pid, version: state.new?.client.greeting.version.description, binary: sides.plan.executable,
                qmp: sides.qmpPath(after: outcome))
        }
        let ended = sides.endedGuest?.whereabouts(
            after: outcome, old: "the old QEMU (pid \(sides.old.process.identity.pid))",
            new: "the new QEMU (pid \(state.newIdentity.map { "\($0.pid)" } ?? "?"))")
        guard outcome != .refreshed, outcome != .rehearsed else {
            if let ended { sides.scene.warn(ended) }
            warnings = sides.scene.warnings
            return
        }
        var failure =
            sides.scene.failure
            ?? HyperFreshError(Self.reason(outcome), remedy: "`hyperfresh history --json` has the details.")
        // What then failed was told to stop.
        if outcome == .rolledBack(.cancelled) {
            failure = HyperFreshError(Self.reason(outcome), remedy: "Start it again when it suits.")
        }
        failure.evidence += sides.scene.warnings
        if ended == nil, let end = sides.endedGuest { failure.evidence.append(end.message) }
        failure.guestState = ended ?? Self.whereabouts(outcome, old: sides.old, new: state.newIdentity)
        failure.exitCode = self.outcome.exitCode
        if case .doubtful(let doubt) = look {
            failure = doubt
            failure.guestState = "The guest is on the new QEMU, if anywhere: pid \(new?.pid ?? 0)."
        }
        if outcome == .incomplete || outcome == .unknown, handoff != .refreshed {
            failure.remedy = "`hyperfresh recover` finishes what can be finished and says what cannot."
        }
        if outcome == .lost {
            failure.evidence.insert(failure.message, at: 0)
            failure.message = ended == nil ? Self.reason(outcome) : sides.endedGuest?.message ?? Self.reason(outcome)
            failure.remedy = "No process has its memory any more. Start the guest anew; its disks are as it left them."
            doubtLoss(&failure, facts: sides.facts)
        }
        self.failure = failure
    }

    /// A guest is not lost as long as anybody has its memory, whoever that is.
    private mutating func doubtLoss(_ failure: inout HyperFreshError, facts: HandoffFacts) {
        do throws(HyperFreshError) {
            let users = try GuestMemory(facts).users()
            guard !users.isEmpty else { return }
            failure.guestState = "The guest's memory is mapped by \(users.list)."
            failure.remedy = "`hyperfresh list` shows whether the guest runs there. Do not start it a second time."
        } catch {
            failure.guestState = "\(error.message)."
            failure.remedy = error.remedy
        }
        outcome = .unknown
    }

    static func reason(_ outcome: HandoffOutcome) -> String {
        switch outcome {
        case .rolledBack(.deadline): "a deadline passed"
        case .rolledBack(.cancelled): "the refresh was cancelled"
        case .rolledBack(let failure): "the refresh failed (\(failure.rawValue))"
        case .incomplete: "the refresh is done, but cleaning up is not"
        case .lost: "the guest's QEMU died"
        case .unknown, .refreshed, .rehearsed: "the refresh could not be settled"
        }
    }

    private static func whereabouts(_ outcome: HandoffOutcome, old: OldQEMU, new: ProcessIdentity?) -> String {
        let oldPID = old.process.identity.pid
        let newPID = new.map { "\($0.pid)" } ?? "?"
        return switch outcome {
        case .rolledBack: "The guest is on the old QEMU (pid \(oldPID)), as before."
        case .incomplete: "The guest is on the new QEMU (pid \(newPID))."
        case .lost: "The guest is gone. Its memory file and disks are as they were left."
        default: "The guest may be stopped. Old QEMU: pid \(oldPID); new QEMU: pid \(newPID)."
        }
    }
}

extension RefreshOutcome {
    /// How a refresh ended that came to no handoff.
    fileprivate init(ofUnbegun error: HyperFreshError) {
        self =
            switch error.exitCode {
            case HyperFreshError.usage: .noGuest
            case Self.blocked.exitCode: .blocked
            default: .rolledBack
            }
    }

    init(_ outcome: HandoffOutcome) {
        self =
            switch outcome {
            case .refreshed: .refreshed
            case .rehearsed: .rehearsed
            case .rolledBack(.deadline): .timedOut
            case .rolledBack: .rolledBack
            case .incomplete: .incomplete
            case .lost: .lost
            case .unknown: .unknown
            }
    }
}
