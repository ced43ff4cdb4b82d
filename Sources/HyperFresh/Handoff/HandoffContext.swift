import Handoff
import JSON
import Journal
import Synchronization

/// The parts of a handoff that do not depend on its sides: journal, driver, clock, limits, failure and warnings.
final class HandoffContext: Sendable {
    private struct State {
        /// The first failure; later ones are consequences of it.
        var failure: HyperFreshError?
        var warnings: [String] = []
        var watchers: [Task<Void, Never>] = []
    }

    let journal: HandoffJournal
    let driver: HandoffDriver
    let clock: PhaseClock
    /// The longest time that the guest may be stopped before everything is rolled back.
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

    /// Appends a state to the journal: one write, without waiting.
    ///
    /// - Parameters:
    ///   - handoffState: The state.
    ///   - facts: The facts for the record.
    ///   - obstacle: Returns the reason why the record may not be written; called last, immediately before the write.
    /// - Returns: Whether the state is on record.
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
                    "cannot write the journal", because: error, remedy: "Free space in the state folder."))
            return .recordFailed(handoffState)
        }
    }

    /// Stores the failure unless there is an earlier one.
    func fail(_ failure: HyperFreshError) {
        state.withLock { if $0.failure == nil { $0.failure = failure } }
    }

    /// Adds the last messages of the failed side to the failure, without duplicates.
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

    /// Returns the outcome of a handoff, corrected by a last look, whose result becomes a warning or the failure.
    func outcome(of handoff: HandoffOutcome, seen look: LastLook) -> HandoffOutcome {
        switch look {
        case .sound(let remark): if let remark { warn(remark) }
        case .dead(let failure), .doubtful(let failure): fail(failure)
        }
        return look.outcome(of: handoff)
    }

    /// Rolls back the handoff if it is not committed in time.
    func giveUp(after timeout: Duration) {
        watch { [self] in
            guard (try? await Task.sleep(for: timeout)) != nil, !driver.state.isCommitted else { return }
            fail(
                HyperFreshError(
                    "the handoff was not committed within \(timeout)",
                    remedy: "Check which of the two QEMUs does not answer, or allow more time with --timeout."))
            driver.happened(.deadlinePassed)
        }
    }

    /// Runs a task next to the handoff, until ``close()``.
    func watch(_ work: @escaping @Sendable () async -> Void) {
        let task = Task { await work() }
        state.withLock { $0.watchers.append(task) }
    }

    /// Cancels the tasks of ``watch(_:)``.
    func close() {
        for watcher in state.withLock({ $0.watchers }) { watcher.cancel() }
    }
}
