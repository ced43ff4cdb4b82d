import Handoff
import JSON
import Journal
import Synchronization

/// What every handoff has, whatever its sides are: its record, its driver, its clock, its bounds, and what went wrong.
final class HandoffContext: Sendable {
    private struct State {
        /// The first thing that went wrong; what follows from it is not worth telling.
        var failure: HyperFreshError?
        var warnings: [String] = []
        var watchers: [Task<Void, Never>] = []
    }

    let journal: HandoffJournal
    let driver: HandoffDriver
    let clock: PhaseClock
    /// How long the guest may be stopped before everything is rolled back.
    let maximumDowntime: Duration
    private let state = Mutex(State())

    init(journal: HandoffJournal, driver: HandoffDriver, clock: PhaseClock, maximumDowntime: Duration) {
        self.journal = journal
        self.driver = driver
        self.clock = clock
        self.maximumDowntime = maximumDowntime
    }

    var failure: HyperFreshError? { state.withLock { $0.failure } }
    var warnings: [String] { state.withLock { $0.warnings } }

    /// Appends a state to the journal: one write, no waiting.
    ///
    /// - Parameters:
    ///   - handoffState: The state.
    ///   - facts: What goes with it.
    ///   - obstacle: Says why the record may not be written; asked last of all.
    /// - Returns: Whether it is on record.
    func record(
        _ handoffState: HandoffState, facts: [String: JSONValue], unless obstacle: () -> HyperFreshError? = { nil }
    ) -> HandoffEvent {
        do throws(JournalError) {
            if FaultPoint.reach(.before, .record(handoffState)) {
                fail(HyperFreshError("the journal was made to fail", remedy: "Unset HYPERFRESH_FAULT."))
                return .recordFailed(handoffState)
            }
            if let obstacle = obstacle() {
                fail(obstacle)
                return .recordFailed(handoffState)
            }
            try journal.append(handoffState, facts: facts)
            return .recorded(handoffState)
        } catch {
            fail(
                HyperFreshError(
                    "the journal could not be written", because: error, remedy: "Make room in the state folder."))
            return .recordFailed(handoffState)
        }
    }

    /// Keeps the first failure.
    func fail(_ failure: HyperFreshError) {
        state.withLock { if $0.failure == nil { $0.failure = failure } }
    }

    /// Adds the words of the side that failed to the failure, unless it has them.
    func explain(_ lines: [String]) {
        state.withLock { state in
            let known = state.failure?.evidence ?? []
            state.failure?.evidence += lines.filter { !known.contains($0) }
        }
    }

    func warn(_ text: String) {
        state.withLock { $0.warnings.append(text) }
        clock.note(text)
    }

    /// What a handoff came to, in the light of a last look; what was seen is among its warnings, or is its failure.
    func outcome(of handoff: HandoffOutcome, seen look: LastLook) -> HandoffOutcome {
        switch look {
        case .sound(let remark): if let remark { warn(remark) }
        case .dead(let failure), .doubtful(let failure): fail(failure)
        }
        return look.outcome(of: handoff)
    }

    /// Rolls back what is not committed in time.
    func giveUp(after timeout: Duration) {
        watch { [self] in
            guard (try? await Task.sleep(for: timeout)) != nil, !driver.state.isCommitted else { return }
            fail(
                HyperFreshError(
                    "the handoff was not committed within \(timeout)",
                    remedy: "See which of the two QEMUs does not answer, or allow more with --timeout."))
            driver.happened(.deadlinePassed)
        }
    }

    /// Does something beside the handoff, until it is over.
    func watch(_ work: @escaping @Sendable () async -> Void) {
        let task = Task { await work() }
        state.withLock { $0.watchers.append(task) }
    }

    /// Ends what watches.
    func close() {
        for watcher in state.withLock({ $0.watchers }) { watcher.cancel() }
    }
}
