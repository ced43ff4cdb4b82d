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

/// Two QEMU processes of this host as the sides of a handoff.
///
/// The code that starts the new one is in +Launch, the last look in +Look.
final class HostGuestSides: MigrationSides {
    let old: OldQEMU
    let plan: LaunchPlan
    let facts: HostGuestFacts
    let context: HandoffContext
    let migration: Migration
    let state = Mutex(State())

    struct State {
        /// Known as soon as the process exists, before its monitor answers.
        var newIdentity: ProcessIdentity?
        var newHandle: ProcessHandle?
        /// The new QEMU's standard error, from the start of this handoff.
        var errorOutput: ErrorOutput?
        var tapKeeper: TapKeeper?
        /// The thread ids of the new QEMU's vCPUs; empty if it does not report them.
        var vcpuThreads: [Int] = []
        /// The CPU time that the vCPUs had used when the guest was told to run, in nanoseconds.
        var vcpuTime: UInt64?
    }

    init(old: OldQEMU, plan: LaunchPlan, facts: HostGuestFacts, context: HandoffContext) {
        self.old = old
        self.plan = plan
        self.facts = facts
        self.context = context
        migration = Migration(old: old.client)
    }

    var timing: SwitchTiming? { migration.guestSwitch?.marks.timing }
    var oldHasExited: Bool { old.handle.hasExited }

    var names: (old: String, new: String) {
        let new = state.withLock { $0.newIdentity }.map { "\($0.pid)" } ?? "?"
        return ("the old QEMU (pid \(old.process.identity.pid))", "the new QEMU (pid \(new))")
    }

    /// The new QEMU's last messages, which often contain the only reason.
    var recentWords: [String] { state.withLock { $0.errorOutput }?.lines() ?? [] }
    func lastWords() async -> [String] { recentWords }

    /// Returns the socket of the guest's monitor on the new side.
    private func qmpPath(after outcome: HandoffOutcome) -> String {
        outcome.isOnNewSide ? facts.lastingQMP : plan.qmpSocket
    }

    func close() async {
        context.close()
        state.withLock { $0.tapKeeper?.stop() }
        migration.close()
    }
}

// MARK: - Records and the switch

extension HostGuestSides {
    func facts(of handoffState: HandoffState) -> [String: JSONValue] {
        guard handoffState == .launched, let new = state.withLock({ $0.newIdentity }) else { return [:] }
        return ["new": new.json]
    }

    func deathOfNew(before handoffState: HandoffState) -> HyperFreshError? {
        guard state.withLock({ $0.newHandle })?.hasExited == true else { return nil }
        switch handoffState {
        case .committed:
            return HyperFreshError(
                "the new QEMU died after it had loaded everything",
                remedy: "Try again; its last messages may show the cause.",
                evidence: recentWords)
        // The record must not name a dead QEMU as the guest's.
        case .retired:
            return HyperFreshError(
                "the new QEMU died after the guest had been committed to it",
                remedy: "Its last messages may show the cause.",
                evidence: recentWords)
        default: return nil
        }
    }

    /// From here on, only the new side may configure the taps.
    func beginHandover() { state.withLock { $0.tapKeeper?.stop() } }
}

// MARK: - Link

extension HostGuestSides {
    /// Proves that both have the same memory at the same guest addresses, and the same devices in the same places.
    ///
    /// QEMU reports a completed migration even if the new side mapped other memory, so the processes are compared
    /// before.
    func proveSameGuest(_ new: QMPClient) async throws {
        guard let identity = state.withLock({ $0.newIdentity }) else {
            throw HyperFreshError("there is no new QEMU", remedy: HyperFreshError.retry)
        }
        let description = try await GuestDescription.describe(new, identity: identity)
        let memory = try MemoryIdentity.prove(
            old: old.process.identity, old.description, new: identity, description)
        context.clock.note("both QEMUs map the same memory: \(memory)")
        let strays = try ImageNames(of: old.process, old.description)
            .strays(openBy: [old.process.identity.pid, identity.pid])
        guard strays.isEmpty else {
            throw HyperFreshError(
                "the new QEMU has opened other files than the guest's disks, under the same names",
                remedy: "Move the guest's disk files back to their names, then try again.", evidence: strays)
        }
        let differences = GuestComparison.differences(old: old.description, new: description)
        guard differences.isEmpty else {
            throw HyperFreshError(
                "the new QEMU does not have the guest's devices",
                remedy: "Remove or re-add the devices that differ, or report the guest's command line as a bug.",
                evidence: differences)
        }
    }

    func connect(_ new: QMPClient) async throws -> String {
        try await MigrationLink.connect(old: old.client, new: new)
        return "fd:\(MigrationLink.channel)"
    }

    func prepareSwitch(_ guestSwitch: GuestSwitch) async throws(HyperFreshError) {
        context.watch { [self] in
            if await old.handle.waitForExit(within: .seconds(86_400)) { guestSwitch.oldIsGone() }
        }
        // Without them, the last look relies on QEMU's report alone.
        let vcpus = (try? await migration.new?.execute(QueryCPUsFast())) ?? []
        state.withLock { $0.vcpuThreads = vcpus.map(\.threadID) }
    }
}

// MARK: - After commit

extension HostGuestSides {
    /// Ends the old QEMU by SIGKILL: it cannot refuse, runs no down-script, and unlinks nothing
    /// (docs/decisions/0001-retire-by-sigkill.md).
    func retire() async -> HandoffEvent {
        context.clock.begin(.retire)
        defer { context.clock.end() }
        beginWatchingVCPUs()
        await takeListeners()
        guard await old.handle.end(within: .seconds(10)) else {
            context.warn("\(names.old) did not end within 10 seconds")
            return .oldSurvived
        }
        return .oldRetired
    }

    func settle() async -> HandoffEvent {
        context.clock.begin(.settle)
        defer { context.clock.end() }
        guard let new = migration.new else { return .settleFailed }
        var isComplete = true
        do {
            try EndpointFiles.settle(plan.endpoints)
        } catch {
            context.warn("cannot move an endpoint to its permanent name: \(error)")
            isComplete = false
        }
        for followUp in plan.followUps where !followUp.needsOldProcess {
            do { try await followUp.perform(on: new) } catch {
                context.warn("\(followUp) failed: \(error)")
                isComplete = false
            }
        }
        do {
            try await migration.leaveNoTrace { context.warn($0) }
        } catch {
            context.warn("the new QEMU still has some migration settings: \(error)")
        }
        return isComplete ? .settled : .settleFailed
    }

    /// Passes listening sockets that only the old process has to the new one, while the old one still exists.
    private func takeListeners() async {
        guard let new = migration.new else { return }
        for followUp in plan.followUps where followUp.needsOldProcess {
            do { try await followUp.perform(on: new, old: old.handle) } catch {
                context.warn("\(followUp) failed: \(error)")
            }
        }
    }
}

// MARK: - Rollback

extension HostGuestSides {
    func removeNew() async -> HandoffEvent {
        context.clock.begin(.rollback)
        let (handle, errorOutput) = state.withLock { ($0.newHandle, $0.errorOutput) }
        if let handle {
            // This also ends anything that a wrapper has started.
            handle.endSession()
            guard await handle.waitForExit(within: .seconds(10)) else {
                context.fail(
                    HyperFreshError(
                        "\(names.new) cannot be ended",
                        remedy: "Find out what it waits for, such as a disk, then run `hyperfresh recover`."))
                return .newSurvived
            }
        }
        EndpointFiles.discard(plan.endpoints)
        context.explain(errorOutput?.lines() ?? [])
        errorOutput?.discard()
        return .newRemoved
    }

    var restoreRemedy: String { "Check it (`hyperfresh qmp SOCKET query-status`), then run `hyperfresh recover`." }

    func reportIfOldExited() async {
        if await old.handle.waitForExit(within: .milliseconds(200)) { context.driver.happened(.oldExited) }
    }
}

// MARK: - The report

extension HostGuestSides {
    func complete(_ report: inout HandoffReport, after handoff: HandoffOutcome, _ look: LastLook) {
        let newIdentity = state.withLock { $0.newIdentity }
        let end = look.outcome(of: handoff)
        report.new = newIdentity.map {
            SideReport(
                pid: $0.pid, version: migration.new?.greeting.version.description, binary: plan.executable,
                qmp: qmpPath(after: end))
        }
        guard var failure = report.failure else { return }
        let whereabouts = endedGuest?.whereabouts(after: end, old: names.old, new: names.new)
        failure.guestState = whereabouts ?? self.whereabouts(end)
        if case .doubtful(let doubt) = look {
            failure = doubt
            failure.guestState = "If the guest still exists, it is on the new QEMU: pid \(report.new?.pid ?? 0)."
        }
        if end == .incomplete || end == .unknown, handoff != .refreshed {
            failure.remedy = "Run `hyperfresh recover`: it finishes the handoff, or reports the steps for an operator."
        }
        if end == .lost {
            if whereabouts == nil {
                failure.evidence.insert(failure.message, at: 0)
                failure.message = HandoffReport.reason(end)
            }
            failure.remedy = "No process has its memory any more. Start the guest again; its disks are as it left them."
            if let doubt = doubtLoss(failure) {
                failure = doubt
                report.outcome = .unknown
            }
        }
        report.failure = failure
    }

    private func whereabouts(_ outcome: HandoffOutcome) -> String {
        switch outcome {
        case .rolledBack: "The guest is on \(names.old), as before."
        case .incomplete: "The guest is on \(names.new)."
        case .lost: "The guest is gone. Its memory file and disks are as the guest left them."
        default: "The guest may be stopped. The two sides are \(names.old) and \(names.new)."
        }
    }

    /// Returns an error instead of a loss if any process still has the guest's memory.
    private func doubtLoss(_ loss: HyperFreshError) -> HyperFreshError? {
        var failure = loss
        do throws(HyperFreshError) {
            let users = try GuestMemory(facts).users()
            guard !users.isEmpty else { return nil }
            failure.guestState = "The guest's memory is mapped by \(users.list)."
            failure.remedy = "`hyperfresh list` shows whether the guest runs there. Do not start it a second time."
        } catch {
            failure.guestState = "\(error.message)."
            failure.remedy = error.remedy
        }
        return failure
    }
}
