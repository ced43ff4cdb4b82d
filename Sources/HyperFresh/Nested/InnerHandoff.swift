import Handoff
import Hypervisors
import Linux
import QMP
import Synchronization

/// The handoff of one guest or container of a hypervisor or OS VM that is refreshed.
protocol TenantHandoff: Sendable {
    /// The guest's or container's name.
    var name: String { get }

    /// Performs it.
    ///
    /// - Parameters:
    ///   - register: Gets the driver, so that the handoff can be cancelled.
    ///   - tell: Takes what happens.
    /// - Returns: How it ended.
    func run(
        register: (HandoffDriver) -> Void, tell: @escaping @Sendable (RefreshProgress) -> Void
    ) async -> TenantHandover
}

/// The handoff of one guest between two hypervisors, from its record to its report.
struct InnerHandoff: TenantHandoff {
    let guest: HypervisorRefresh.Prepared.Guest
    let plan: HypervisorAdmission.Plan
    let group: HandoverGroup
    let host: Host
    let request: HypervisorRefreshRequest
    let timeout: Duration

    var name: String { guest.seat.guest.name }

    func run(
        register: (HandoffDriver) -> Void, tell: @escaping @Sendable (RefreshProgress) -> Void
    ) async -> TenantHandover {
        defer { group.ended(name) }
        var report = TenantHandover(guest: name, outcome: .rolledBack)
        let driver = HandoffDriver(isRehearsal: request.isRehearsal)
        let clock = PhaseClock(tell: tell)
        do throws(HyperFreshError) {
            let scene = HandoffScene(
                journal: try begin(), driver: driver, clock: clock, maximumDowntime: request.maximumDowntime)
            report.id = scene.journal.id
            let sides = InnerSides(
                old: guest.old, newSeat: guest.seat, newDevice: guest.device, channel: guest.channel, scene: scene,
                refresh: group,
                store: StackStore(stateDirectory: host.stateDirectory))
            defer { sides.close() }
            register(driver)
            scene.giveUp(after: timeout)
            let outcome = await driver.run(on: sides)
            clock.end()
            // What is claimed was seen a moment ago.
            let look = outcome == .refreshed || outcome == .incomplete ? await sides.lookAgain() : .sound(nil)
            conclude(outcome, look, sides, &report)
            await guest.channel.close()
            report.phases = clock.timings
            report.totalMilliseconds = clock.totalMilliseconds
            scene.journal.close(with: report.json, state: report.outcome == .lost ? .lost : driver.state)
        } catch {
            guest.old.client.close()
            await guest.channel.close()
            report.failure = error
        }
        return report
    }

    private func begin() throws(HyperFreshError) -> HandoffJournal {
        let memoryFile = guest.seat.memoryFile.path
        var facts = InnerFacts(
            guest: name, hypervisor: plan.spec.name, stack: plan.stack.name,
            oldInstance: guest.old.seat.hypervisor.record.id, newInstance: guest.seat.hypervisor.record.id,
            memoryFile: memoryFile, isRehearsal: request.isRehearsal)
        facts.oldVersion = guest.old.client.greeting.version.description
        facts.newVersion = guest.seat.hypervisor.record.qemu
        let lock: HeldLock?
        do throws(SystemError) { lock = try HeldLock(memoryFile) } catch {
            throw HyperFreshError(
                "the memory file of guest \(name) cannot be locked", because: error,
                remedy: "Is it there? \(memoryFile)")
        }
        guard let lock else {
            throw HyperFreshError("somebody else is at work on guest \(name)", remedy: "Wait; see `hyperfresh status`.")
        }
        return try HandoffJournal.begin(id: GuestPreparation.makeID(), facts: facts.json, lock: lock, host: host)
    }

    private func conclude(
        _ handoff: HandoffOutcome, _ look: LastLook, _ sides: InnerSides, _ report: inout TenantHandover
    ) {
        let outcome = sides.scene.outcome(of: handoff, seen: look)
        report.outcome = RefreshOutcome(outcome)
        let transfer = sides.state.withLock { $0.transfer }
        if outcome == .refreshed || outcome == .incomplete { report.timing = transfer?.marks.arrivalTiming }
        let ended = sides.endedGuest?.whereabouts(
            after: outcome, old: "its QEMU in the old hypervisor", new: "its QEMU in the new hypervisor")
        guard outcome != .refreshed, outcome != .rehearsed else {
            if let ended { sides.scene.warn(ended) }
            report.warnings = sides.scene.warnings
            return
        }
        var failure =
            sides.scene.failure
            ?? HyperFreshError(RefreshReport.reason(outcome), remedy: "`hyperfresh history --json` has the details.")
        if outcome == .rolledBack(.cancelled) {
            failure = HyperFreshError(RefreshReport.reason(outcome), remedy: "Start it again when it suits.")
        }
        failure.evidence += sides.scene.warnings
        if ended == nil, let end = sides.endedGuest { failure.evidence.append(end.message) }
        failure.guestState = ended ?? failure.guestState
        if outcome == .lost, ended != nil, let end = sides.endedGuest { failure.message = end.message }
        failure.exitCode = report.outcome.exitCode
        report.failure = failure
    }
}
