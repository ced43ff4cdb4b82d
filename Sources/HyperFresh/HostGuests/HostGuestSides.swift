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
/// How the new one is started is in +Launch, what is seen at the end in +Look.
final class HostGuestSides: MigrationSides {
    let old: OldQEMU
    let plan: LaunchPlan
    let facts: HostGuestFacts
    let context: HandoffContext
    let migration: Migration
    let state = Mutex(State())

    struct State {
        /// Known from the moment the process exists, before its monitor answers.
        var newIdentity: ProcessIdentity?
        var newHandle: ProcessHandle?
        /// Where the new QEMU's standard error began to be ours to read.
        var errorOutput: ErrorOutput?
        var tapKeeper: TapKeeper?
        /// The new QEMU's vCPUs, as the numbers of their threads; none where it does not tell.
        var vcpuThreads: [Int] = []
        /// The CPU time that they had used when the guest was told to run, in nanoseconds.
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

    /// The new QEMU's last words, which often are the only place where a reason stands.
    var recentWords: [String] { state.withLock { $0.errorOutput }?.lines() ?? [] }
    func lastWords() async -> [String] { recentWords }

    /// Where the guest's monitor answers on the new side, or would.
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
                "the new QEMU died when it had everything", remedy: "Try again; its last words may tell why.",
                evidence: recentWords)
        // What is dead is not what the guest was refreshed to.
        case .retired:
            return HyperFreshError(
                "the new QEMU died when the guest had been committed to it", remedy: "Its last words may tell why.",
                evidence: recentWords)
        default: return nil
        }
    }

    /// From here on the taps are the new side's to set.
    func beginHandover() { state.withLock { $0.tapKeeper?.stop() } }
}

// MARK: - Link

extension HostGuestSides {
    /// The same memory at the same guest addresses, and the same devices in the same places.
    ///
    /// QEMU reports a completed migration even when the new side mapped other memory: so this is proven before, on the
    /// processes themselves.
    func proveSameGuest(_ new: QMPClient) async throws {
        guard let identity = state.withLock({ $0.newIdentity }) else { return }
        let description = try await GuestDescription.describe(new, identity: identity)
        let memory = try MemoryIdentity.prove(
            old: old.process.identity, old.description, new: identity, description)
        context.clock.note("memory proven the same: \(memory)")
        let strays = try ImageNames(of: old.process, old.description)
            .strays(openBy: [old.process.identity.pid, identity.pid])
        guard strays.isEmpty else {
            throw HyperFreshError(
                "the new QEMU has not opened the guest's disks, but other files of their names",
                remedy: "Put the files back under their names, and try again.", evidence: strays)
        }
        let differences = GuestComparison.differences(old: old.description, new: description)
        guard differences.isEmpty else {
            throw HyperFreshError(
                "the new QEMU does not have the guest's devices",
                remedy: "Remove or re-add what differs, or report the command line that led here.",
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
        // Without them the last look goes by QEMU's word alone.
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
            context.warn("an endpoint could not be put in its place: \(error)")
            isComplete = false
        }
        for followUp in plan.followUps where !followUp.needsOldProcess {
            do { try await followUp.perform(on: new) } catch {
                context.warn("\(followUp) failed: \(error)")
                isComplete = false
            }
        }
        do {
            if let warning = try await migration.leaveNoTrace() { context.warn(warning) }
        } catch {
            context.warn("the new QEMU keeps some migration settings: \(error)")
        }
        return isComplete ? .settled : .settleFailed
    }

    /// Listening sockets that only the old process holds go to the new one while the old one is still there.
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
            // What a wrapper has started goes with it.
            handle.endSession()
            guard await handle.waitForExit(within: .seconds(10)) else {
                context.fail(
                    HyperFreshError(
                        "\(names.new) cannot be ended",
                        remedy: "See what holds it (a disk that does not answer?), then run `hyperfresh recover`."))
                return .newSurvived
            }
        }
        EndpointFiles.discard(plan.endpoints)
        context.explain(errorOutput?.lines() ?? [])
        errorOutput?.discard()
        return .newRemoved
    }

    var restoreRemedy: String { "Look at it (`hyperfresh qmp`), then run `hyperfresh recover`." }

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
            failure.guestState = "The guest is on the new QEMU, if anywhere: pid \(report.new?.pid ?? 0)."
        }
        if end == .incomplete || end == .unknown, handoff != .refreshed {
            failure.remedy = "`hyperfresh recover` finishes what can be finished and says what cannot."
        }
        if end == .lost {
            failure.evidence.insert(failure.message, at: 0)
            failure.message = whereabouts == nil ? HandoffReport.reason(end) : endedGuest?.message ?? failure.message
            failure.remedy = "No process has its memory any more. Start the guest anew; its disks are as it left them."
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
        case .lost: "The guest is gone. Its memory file and disks are as they were left."
        default: "The guest may be stopped. There are \(names.old) and \(names.new)."
        }
    }

    /// A guest is not lost as long as anybody has its memory, whoever that is.
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
