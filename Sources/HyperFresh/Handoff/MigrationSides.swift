import Guests
import Handoff
import JSON
import QMP
import Synchronization

/// Two QEMUs on the same memory as the sides of a handoff, on this host or in two hypervisors.
///
/// Setup, records, switch, restore and last look are the same for both, and are implemented here. A conforming type
/// starts and ends the two QEMUs, and implements the differences.
protocol MigrationSides: HandoffSides, AnyObject {
    var context: HandoffContext { get }
    /// The migration settings of the two QEMUs.
    var migration: Migration { get }
    /// Whether the old QEMU is known to be dead.
    var oldHasExited: Bool { get }

    // MARK: Before the switch

    /// Proves that both QEMUs have the same guest: memory, devices, images.
    func proveSameGuest(_ new: QMPClient) async throws
    /// Gives each QEMU its end of a channel; the new one waits on its end.
    ///
    /// - Returns: The URI for `migrate`, to which the old one sends the state.
    func connect(_ new: QMPClient) async throws -> String
    /// Completes the link: after this the guest may be stopped.
    func prepareSwitch(_ guestSwitch: GuestSwitch) async throws(HyperFreshError)

    // MARK: On the path of the switch: without waiting

    /// Returns the facts that a record of this state adds to those of every migration.
    func facts(of state: HandoffState) -> [String: JSONValue]
    /// Returns an error if this state may not be recorded because the new QEMU is dead.
    func deathOfNew(before state: HandoffState) -> HyperFreshError?
    /// Notes that a state is on record.
    func recorded(_ state: HandoffState)
    /// Releases the guest's host devices to the new QEMU.
    func beginHandover()

    // MARK: After a failure, and at the end

    /// Checks whether the old QEMU does not answer because it is dead, and reports that.
    func reportIfOldExited() async
    /// The remedy if the old QEMU cannot be restored.
    var restoreRemedy: String { get }
    /// Checks the two processes; `nil` if the new monitor can be asked.
    func lookAtProcesses(after outcome: HandoffOutcome) -> LastLook?
    /// Finds the reason why the new monitor does not answer.
    func lookAtSilentNew(_ silence: QMPError) async -> LastLook
    /// Checks whether the vCPUs run, of a guest that QEMU reports as running.
    func lookAtVCPUs() async -> LastLook
    /// Returns the error for a last look that could not determine whether the guest runs.
    func doubt(_ message: String, evidence: [String]) -> HyperFreshError
    /// The new QEMU's last messages, which often contain the only reason.
    func lastWords() async -> [String]
    /// Those of the last messages that are available without waiting.
    var recentWords: [String] { get }
}

extension MigrationSides {
    func facts(of state: HandoffState) -> [String: JSONValue] { [:] }
    func recorded(_ state: HandoffState) {}
    func beginHandover() {}
    func lookAtVCPUs() async -> LastLook { .sound(nil) }
    var recentWords: [String] { [] }

    func doubt(_ message: String) -> HyperFreshError { doubt(message, evidence: []) }

    var endedGuest: EndedGuest? { migration.guestSwitch?.endedGuest }
}

// MARK: - Actions

extension MigrationSides {
    func record(_ state: HandoffState) -> HandoffEvent {
        let facts = migration.facts(of: state).merging(facts(of: state)) { $1 }
        let event = context.record(state, facts: facts, unless: { self.obstacle(to: state) })
        if event == .recorded(state) { recorded(state) }
        return event
    }

    /// Returns the reason why a state may not be recorded.
    ///
    /// A dead QEMU gets no commit, even if it has reported `completed`: the old one still has the guest.
    private func obstacle(to state: HandoffState) -> HyperFreshError? {
        if state == .switching { return migration.guestSwitch?.outsideHand(since: migration.guestRuns) }
        return deathOfNew(before: state)
    }

    func link() async -> HandoffEvent {
        context.clock.begin(.link)
        defer { context.clock.end() }
        guard let new = migration.new else { return .linkFailed }
        do {
            try await proveSameGuest(new)
            try await migration.agree(recordingIn: context.journal)
            try Task.checkCancellation()
            let uri = try await connect(new)
            let guestSwitch = GuestSwitch(
                context: context, old: migration.old, new: new, uri: uri,
                oldHasExited: { [weak self] in self?.oldHasExited ?? false },
                lastWords: { [weak self] in self?.recentWords ?? [] })
            guestSwitch.listen()
            migration.guestSwitch = guestSwitch
            try await prepareSwitch(guestSwitch)
            return .linked(guestRuns: try await migration.noteGuestRuns())
        } catch let failure as HyperFreshError {
            context.fail(failure.adding(evidence: recentWords))
        } catch {
            context.fail(
                HyperFreshError("the two QEMUs could not be linked", because: error, remedy: HyperFreshError.retry)
                    .adding(evidence: await lastWords()))
        }
        return .linkFailed
    }

    func beginSwitch() -> HandoffEvent? {
        context.clock.begin(.handover)
        beginHandover()
        guard let guestSwitch = migration.guestSwitch else { return .switchRefused }
        return guestSwitch.begin()
    }

    func resumeNew() -> HandoffEvent? {
        guard let guestSwitch = migration.guestSwitch else { return .resumeRefused }
        return guestSwitch.resumeNew()
    }

    /// Restores the old side; the new side's process is gone, so nothing else can run the guest.
    func restoreOld(resume: Bool) async -> HandoffEvent {
        defer { context.clock.end() }
        do {
            try await migration.restoreOld(resume: resume) { context.warn($0) }
            return .oldRestored
        } catch {
            context.fail(
                HyperFreshError("\(names.old) could not be restored", because: error, remedy: restoreRemedy))
            await reportIfOldExited()
            return .restoreFailed
        }
    }
}

// MARK: - The last look

extension MigrationSides {
    func lookAgain(after outcome: HandoffOutcome) async -> LastLook {
        guard let new = migration.new else { return .doubtful(doubt("there is no new QEMU")) }
        if let look = lookAtProcesses(after: outcome) { return look }
        let status: QueryStatus.Reply
        do throws(QMPError) {
            status = try await new.execute(QueryStatus(), deadline: .seconds(5))
        } catch {
            return await lookAtSilentNew(error)
        }
        guard migration.guestRuns, endedGuest == nil else { return .sound(nil) }
        switch status.state {
        case .running: return await lookAtVCPUs()
        case .shutdown, .guestPanicked:
            return .sound("The guest has ended since: \(names.new) reports \(status.state.rawValue).")
        // It ran, so it was stopped later.
        case .paused where migration.guestSwitch?.marks.resumeSeen != nil:
            return .sound("Somebody has paused the guest since: \(names.new) reports \(status.state.rawValue).")
        default: return .doubtful(doubt("\(names.new) does not run the guest: it reports \(status.state.rawValue)"))
        }
    }
}
