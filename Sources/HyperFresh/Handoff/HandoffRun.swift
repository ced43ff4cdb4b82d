import Handoff
import QMP

/// One handoff of any subject, from its record to its report.
struct HandoffRun: Sendable {
    let host: Host
    let driver: HandoffDriver
    let clock: PhaseClock
    /// The longest time that the subject may be stopped before everything is rolled back.
    let maximumDowntime: Duration
    /// The longest time to the commit before everything is rolled back.
    let timeout: Duration

    /// Performs the handoff, and completes the report.
    ///
    /// - Parameters:
    ///   - subject: The subject of the handoff.
    ///   - id: The handoff's id.
    ///   - lock: Excludes other controllers; released at the end.
    ///   - report: Receives the result.
    ///   - makeSides: Returns the two sides, after the handoff is on record.
    /// - Throws: If the handoff cannot be recorded; then nothing was touched.
    func perform(
        _ subject: Subject, id: String, lock: HeldLock, _ report: inout HandoffReport,
        sides makeSides: (HandoffContext) -> any HandoffSides
    ) async throws(HyperFreshError) {
        let journal = try HandoffJournal.begin(id: id, facts: subject.json, lock: lock, host: host)
        report.id = journal.id
        clock.end()
        let context = HandoffContext(journal: journal, driver: driver, clock: clock, maximumDowntime: maximumDowntime)
        let sides = makeSides(context)
        context.giveUp(after: timeout)
        let handoff = await driver.run(on: sides)
        clock.end()
        // Look again: the report may only claim a state that was observed a moment ago.
        let look = handoff.isOnNewSide ? await sides.lookAgain(after: handoff) : .sound(nil)
        report.conclude(handoff, look, of: sides, context)
        report.phases = clock.timings
        report.totalMilliseconds = clock.totalMilliseconds
        await sides.close()
        journal.close(with: report.json, state: report.outcome == .lost ? .lost : driver.state)
    }
}

extension HandoffOutcome {
    /// Whether the subject is on the new side.
    var isOnNewSide: Bool { self == .refreshed || self == .incomplete }
}

// MARK: - The report

extension HandoffReport {
    fileprivate mutating func conclude(
        _ handoff: HandoffOutcome, _ look: LastLook, of sides: any HandoffSides, _ context: HandoffContext
    ) {
        let end = context.outcome(of: handoff, seen: look)
        outcome = RefreshOutcome(end)
        if end.isOnNewSide { timing = sides.timing }
        let ended = sides.endedGuest?.whereabouts(after: end, old: sides.names.old, new: sides.names.new)
        if end == .refreshed || end == .rehearsed {
            if let ended { context.warn(ended) }
        } else {
            failure = failure(end, of: sides, context, whereabouts: ended)
        }
        sides.complete(&self, after: handoff, look)
        if failure == nil { warnings = context.warnings }
    }

    private func failure(
        _ end: HandoffOutcome, of sides: any HandoffSides, _ context: HandoffContext, whereabouts: String?
    ) -> HyperFreshError {
        var failure =
            context.failure
            ?? HyperFreshError(Self.reason(end), remedy: "`hyperfresh history --json` has the details.")
        // A cancelled step may report a failure of its own; report the cancellation instead.
        if end == .rolledBack(.cancelled) {
            failure = HyperFreshError(Self.reason(end), remedy: "Run the command again when you are ready.")
        }
        failure.evidence += context.warnings
        if let guest = sides.endedGuest {
            if whereabouts == nil { failure.evidence.append(guest.message) }
            if end == .lost, whereabouts != nil {
                failure.evidence.insert(failure.message, at: 0)
                failure.message = guest.message
            }
        }
        failure.guestState = whereabouts ?? failure.guestState
        failure.exitCode = outcome.exitCode
        return failure
    }

    static func reason(_ outcome: HandoffOutcome) -> String {
        switch outcome {
        case .rolledBack(.deadline): "a deadline passed"
        case .rolledBack(.cancelled): "the handoff was cancelled"
        case .rolledBack(let failure): "the handoff failed (\(failure.rawValue))"
        case .incomplete: "the handoff is done, but the cleanup is not"
        case .lost: "the side that had it died"
        case .unknown, .refreshed, .rehearsed: "the outcome of the handoff is unknown"
        }
    }
}

extension RefreshOutcome {
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
