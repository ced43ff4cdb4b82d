import Glibc
import Guests
import Handoff
import JSON
import Linux
import QMP
import Synchronization

/// The old side of a guest's handoff: a QEMU that somebody else started.
struct OldQEMU: Sendable {
    let process: GuestProcess
    let handle: ProcessHandle
    let client: QMPClient
    let description: GuestDescription
}

/// The new side: a QEMU that this handoff started, its vCPUs stopped until commit.
struct NewQEMU: Sendable {
    let handle: ProcessHandle
    let client: QMPClient
}

/// Two QEMU processes on one host as the sides of a handoff.
///
/// Each action is a file of its own: +Launch, +Link, +Switch, +Retire, +Rollback.
final class QEMUSides: HandoffSides {
    let old: OldQEMU
    let plan: LaunchPlan
    let journal: HandoffJournal
    let driver: HandoffDriver
    let clock: PhaseClock
    let maximumDowntime: Duration
    let state = Mutex(State())

    struct State {
        /// Known from the moment the process exists, before its monitor answers.
        var newIdentity: ProcessIdentity?
        var newHandle: ProcessHandle?
        var new: NewQEMU?
        /// Where the new QEMU's standard error began to be ours to read.
        var errorOutput: ErrorOutput?
        var tapKeeper: TapKeeper?
        var oldSettings: MigrationLink.Settings?
        var newSettings: MigrationLink.Settings?
        var guestRuns = false
        var switchHasBegun = false
        var marks = SwitchMarks()
        /// The first thing that went wrong; what follows from it is not worth telling.
        var failure: HyperFreshError?
        var warnings: [String] = []
        var watchers: [Task<Void, Never>] = []
        var taps: [QMPTap] = []
    }

    init(
        old: OldQEMU, plan: LaunchPlan, journal: HandoffJournal, driver: HandoffDriver, clock: PhaseClock,
        maximumDowntime: Duration
    ) {
        self.old = old
        self.plan = plan
        self.journal = journal
        self.driver = driver
        self.clock = clock
        self.maximumDowntime = maximumDowntime
    }

    func perform(_ action: HandoffAction) async -> HandoffEvent {
        switch action {
        case .launchNew: await launch()
        case .link: await link()
        case .retireOld: await retire()
        case .settle: await settle()
        case .removeNew: await removeNew()
        case .restoreOld(let resume): await restoreOld(resume: resume)
        // The driver performs these itself, in place.
        case .record, .beginSwitch, .resumeNew, .finish: preconditionFailure("\(action) is not performed in a task")
        }
    }

    func record(_ handoffState: HandoffState) -> HandoffEvent {
        do {
            try journal.append(handoffState, facts: facts(for: handoffState))
            return .recorded(handoffState)
        } catch {
            fail(
                HyperFreshError(
                    "the journal could not be written", because: error, remedy: "Make room in the state folder."))
            return .recordFailed(handoffState)
        }
    }

    private func facts(for handoffState: HandoffState) -> [String: JSONValue] {
        state.withLock { state in
            switch handoffState {
            case .launched: state.newIdentity.map { ["new": $0.json] } ?? [:]
            case .linked: ["guest_ran": .bool(state.guestRuns)]
            default: [:]
            }
        }
    }

    /// Keeps the first failure.
    func fail(_ failure: HyperFreshError) {
        state.withLock { if $0.failure == nil { $0.failure = failure } }
    }

    func warn(_ text: String) {
        state.withLock { $0.warnings.append(text) }
        clock.note(text)
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

    func watch(_ work: @escaping @Sendable () async -> Void) {
        let task = Task { await work() }
        state.withLock { $0.watchers.append(task) }
    }

    /// Where the guest's monitor answers on the new side, or would.
    func qmpPath(after outcome: HandoffOutcome) -> String {
        outcome == .refreshed || outcome == .incomplete ? journal.facts.lastingQMP : plan.qmpSocket
    }

    /// Ends what watches and closes what was opened; neither QEMU notices.
    func close() {
        let (watchers, new) = state.withLock { state in
            defer { state.taps = [] }
            state.tapKeeper?.stop()
            return (state.watchers, state.new)
        }
        for watcher in watchers { watcher.cancel() }
        new?.client.close()
        old.client.close()
    }
}
