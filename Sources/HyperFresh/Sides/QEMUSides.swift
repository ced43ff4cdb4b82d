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
/// Each action is a file of its own: +Launch, +Link, +Retire, +Rollback; the switch is ``GuestSwitch``'s.
final class QEMUSides: HandoffSides {
    let old: OldQEMU
    let plan: LaunchPlan
    let facts: HandoffFacts
    let scene: HandoffScene
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
        /// All that the old side had set before.
        var oldCapabilities: [String: Bool] = [:]
        var guestRuns = false
        /// The new QEMU's vCPUs, as the numbers of their threads; none where it does not tell.
        var vcpuThreads: [Int] = []
        /// The CPU time that they had used when the guest was told to run, in nanoseconds.
        var vcpuTime: UInt64?
        var transfer: GuestSwitch?
    }

    init(old: OldQEMU, plan: LaunchPlan, facts: HandoffFacts, scene: HandoffScene) {
        self.old = old
        self.plan = plan
        self.facts = facts
        self.scene = scene
    }

    func record(_ handoffState: HandoffState) -> HandoffEvent {
        scene.record(handoffState, facts: news(with: handoffState), unless: { self.obstacle(to: handoffState) })
    }

    private func obstacle(to handoffState: HandoffState) -> HyperFreshError? {
        switch handoffState {
        case .switching:
            let (transfer, ran) = state.withLock { ($0.transfer, $0.guestRuns) }
            return transfer?.outsideHand(since: ran)
        // A new QEMU that is dead is not committed to, though its `completed` was heard: the old one has the guest still.
        case .committed where state.withLock({ $0.newHandle })?.hasExited == true:
            return HyperFreshError(
                "the new QEMU died when it had everything", remedy: "Try again; its last words may tell why.",
                evidence: errorLines())
        // What is dead is not what the guest was refreshed to.
        case .retired where state.withLock({ $0.newHandle })?.hasExited == true:
            return HyperFreshError(
                "the new QEMU died when the guest had been committed to it", remedy: "Its last words may tell why.",
                evidence: errorLines())
        default: return nil
        }
    }

    /// What a state has to tell to whoever recovers.
    private func news(with handoffState: HandoffState) -> [String: JSONValue] {
        state.withLock { state in
            switch handoffState {
            case .launched: state.newIdentity.map { ["new": $0.json] } ?? [:]
            case .linked: ["guest_ran": .bool(state.guestRuns)]
            // Whoever recovers from here does not let a guest run that has come to its own end since.
            case .committed where state.transfer?.endedGuest != nil: ["guest_ran": false]
            default: [:]
            }
        }
    }

    func beginSwitch() -> HandoffEvent? {
        scene.clock.begin(.handover)
        let transfer = state.withLock { state in
            // From here on the taps are the new side's to set.
            state.tapKeeper?.stop()
            return state.transfer
        }
        guard let transfer else { return .switchRefused }
        return transfer.begin()
    }

    func resumeNew() -> HandoffEvent? {
        guard let transfer = state.withLock({ $0.transfer }) else { return .resumeRefused }
        return transfer.resumeNew()
    }

    /// The guest's own end, if the old side has told of one.
    var endedGuest: EndedGuest? { state.withLock { $0.transfer }?.endedGuest }

    /// Where the guest's monitor answers on the new side, or would.
    func qmpPath(after outcome: HandoffOutcome) -> String {
        outcome == .refreshed || outcome == .incomplete ? facts.lastingQMP : plan.qmpSocket
    }

    /// Ends what watches and closes what was opened; neither QEMU notices.
    func close() {
        scene.close()
        let (new, transfer) = state.withLock { state in
            state.tapKeeper?.stop()
            return (state.new, state.transfer)
        }
        transfer?.stopListening()
        new?.client.close()
        old.client.close()
    }
}
