import Containers
import Handoff
import Hypervisors
import Linux
import QMP

/// The relocation of one container between two OS VMs, from its record to its report.
struct ContainerHandoff: TenantHandoff {
    let stack: Stack
    let old: ContainerSeat
    let new: ContainerSeat
    let group: HandoverGroup
    let host: Host
    let isRehearsal: Bool
    let maximumDowntime: Duration
    let timeout: Duration

    var name: String { new.container.name }

    func run(
        register: (HandoffDriver) -> Void, tell: @escaping @Sendable (RefreshProgress) -> Void
    ) async -> TenantHandover {
        defer { group.ended(name) }
        var report = TenantHandover(guest: name, outcome: .rolledBack)
        let driver = HandoffDriver(isRehearsal: isRehearsal)
        let clock = PhaseClock(tell: tell)
        do throws(HyperFreshError) {
            let scene = HandoffScene(
                journal: try begin(), driver: driver, clock: clock, maximumDowntime: maximumDowntime)
            report.id = scene.journal.id
            let sides = ContainerSides(
                old: old, new: new, scene: scene, group: group, store: StackStore(stateDirectory: host.stateDirectory))
            defer { sides.close() }
            register(driver)
            scene.giveUp(after: timeout)
            let handoff = await driver.run(on: sides)
            clock.end()
            // What is claimed was seen a moment ago.
            let look = handoff == .refreshed || handoff == .incomplete ? await sides.lookAgain() : .sound(nil)
            conclude(sides.scene.outcome(of: handoff, seen: look), sides, &report)
            report.phases = clock.timings
            report.totalMilliseconds = clock.totalMilliseconds
            scene.journal.close(with: report.json, state: report.outcome == .lost ? .lost : driver.state)
        } catch {
            report.failure = error
        }
        return report
    }

    private func begin() throws(HyperFreshError) -> HandoffJournal {
        let file = stack.storeFile(of: name)
        let facts = ContainerFacts(
            container: name, stack: stack.name, oldSystem: old.hypervisor.record.hypervisor,
            oldInstance: old.hypervisor.record.id, newSystem: new.hypervisor.record.hypervisor,
            newInstance: new.hypervisor.record.id, storeFile: file, isRehearsal: isRehearsal)
        let lock: HeldLock?
        do throws(SystemError) { lock = try HeldLock(file) } catch {
            throw HyperFreshError(
                "the image store of container \(name) cannot be locked", because: error,
                remedy: "Is it there? \(file)")
        }
        guard let lock else {
            throw HyperFreshError(
                "somebody else is at work on container \(name)", remedy: "Wait; see `hyperfresh status`.")
        }
        return try HandoffJournal.begin(id: GuestPreparation.makeID(), facts: facts.json, lock: lock, host: host)
    }

    private func conclude(_ outcome: HandoffOutcome, _ sides: ContainerSides, _ report: inout TenantHandover) {
        report.outcome = RefreshOutcome(outcome)
        report.steps = sides.steps.map { ($0.name, $0.milliseconds) }
        report.copied = sides.copied
        if outcome == .refreshed || outcome == .incomplete { report.timing = sides.timing }
        guard outcome != .refreshed, outcome != .rehearsed else {
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
        failure.exitCode = report.outcome.exitCode
        report.failure = failure
    }
}
