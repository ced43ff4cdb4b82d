import Containers
import Handoff
import JSON
import Linux
import QMP
import StackFile
import Synchronization
import VirtualMachines

/// Two OS VMs as the sides of a container's relocation.
///
/// The old side is the frozen processes, the new one those that CRIU made of their images: complete, stopped, unheard. A side
/// has ended when its OS VM has.
final class ContainerSides: HandoffSides {
    let old: ContainerPlacement
    let new: ContainerPlacement
    let context: HandoffContext
    let group: HandoffGroup
    let store: StackStore
    let state = Mutex(State())

    struct State {
        var ran = false
        var copied: [UInt64] = []
        var marks = SwitchMarks()
        var steps: [StepTimes.Step] = []
        /// The ways to the scripts that wait for the switch, in the old OS VM and in the new one.
        var channels: (old: ControlChannel, new: ControlChannel)?
        /// The switch that goes on: whoever rolls back waits for it.
        var transfer: Task<Void, Never>?
    }

    init(old: ContainerPlacement, new: ContainerPlacement, context: HandoffContext, group: HandoffGroup, store: StackStore) {
        self.old = old
        self.new = new
        self.context = context
        self.group = group
        self.store = store
    }

    var name: String { new.container.name }

    /// The moments of the switch, by their arrival on this host; `nil` when it did not come to its end.
    var timing: SwitchTiming? { state.withLock { $0.marks.arrivalTiming } }

    var names: (old: String, new: String) {
        (
            "container \(name) in \(old.hypervisor.record.hypervisor)",
            "container \(name) in \(new.hypervisor.record.hypervisor)"
        )
    }

    func complete(_ report: inout HandoffReport, after handoff: HandoffOutcome, _ look: LastLook) {
        let (steps, copied) = state.withLock { ($0.steps, $0.copied) }
        report.steps = steps.map { ($0.name, $0.milliseconds) }
        report.copied = copied
    }

    func record(_ handoffState: HandoffState) -> HandoffEvent {
        let facts: [String: JSONValue] =
            handoffState == .linked ? ["guest_ran": .bool(state.withLock { $0.ran })] : [:]
        let event = context.record(handoffState, facts: facts, unless: { self.obstacle(to: handoffState) })
        if event == .recorded(.committed) { group.committed(name) }
        return event
    }

    /// Nothing is committed to an OS VM that is dead: the old one has the container still.
    private func obstacle(to handoffState: HandoffState) -> HyperFreshError? {
        guard handoffState == .committed, new.hypervisor.process.hasExited else { return nil }
        return HyperFreshError(
            "the new OS VM died when \(name) was in it", remedy: "Try again; its console may tell why.")
    }

    func channels() throws(HypervisorError) -> (old: ControlChannel, new: ControlChannel) {
        if let channels = state.withLock({ $0.channels }) { return channels }
        throw HypervisorError("container \(name) has no way to its OS VMs", remedy: "Try again.")
    }

    func close() async {
        context.close()
        state.withLock { state in
            state.channels?.old.close()
            state.channels?.new.close()
            state.channels = nil
        }
    }
}

// MARK: - Before the switch

extension ContainerSides {
    func launch() async -> HandoffEvent {
        context.clock.begin(.launch)
        defer { context.clock.end() }
        for (placement, event) in [(old, HandoffEvent.oldExited), (new, HandoffEvent.newExited)] {
            context.watch { [driver = context.driver] in
                if await placement.hypervisor.process.waitForExit(within: .seconds(86_400)) { driver.happened(event) }
            }
        }
        do throws(HypervisorError) {
            let channels = (old: try await old.openControlChannel(), new: try await new.openControlChannel())
            state.withLock { $0.channels = channels }
            try await new.place.prepareRestore(over: channels.new)
            return .launched
        } catch {
            context.fail(HyperFreshError(error))
            return .launchFailed
        }
    }
}

// MARK: - The switch

extension ContainerSides {
    func beginSwitch() -> HandoffEvent? {
        context.clock.begin(.handover)
        state.withLock { $0.marks.stopSeen = .now }
        let limit = context.maximumDowntime
        context.watch { [self] in
            guard (try? await Task.sleep(for: limit)) != nil, !context.driver.state.isCommitted else { return }
            context.fail(
                HyperFreshError(
                    "container \(name) was stopped for longer than \(limit)", remedy: "Allow more with --max-downtime."
                ))
            context.driver.happened(.deadlinePassed)
        }
        let task = Task { [self] in await transfer(within: limit + .seconds(30)) }
        state.withLock { $0.transfer = task }
        return nil
    }

    private func transfer(within deadline: Duration) async {
        do throws(HypervisorError) {
            let steps = try await old.place.dump(over: try channels().old, within: deadline)
            state.withLock { state in
                state.marks.oldCompletedSeen = .now
                state.steps += steps.steps
            }
            context.driver.happened(.oldCompleted)
        } catch {
            context.fail(HyperFreshError(error))
            return context.driver.happened(.oldFailed)
        }
        // A deadline may have passed meanwhile: then the new side is on its way out.
        guard context.driver.state == .switching else { return }
        do throws(HypervisorError) {
            let steps = try await new.place.restore(over: try channels().new, within: deadline)
            state.withLock { state in
                state.marks.newCompletedSeen = .now
                state.steps += steps.steps
            }
            context.driver.happened(.newCompleted)
        } catch {
            context.fail(HyperFreshError(error))
            context.driver.happened(.newFailed)
        }
    }

    func resumeNew() -> HandoffEvent? {
        state.withLock { $0.marks.resumeWritten = .now }
        Task { [self] in
            do throws(HypervisorError) {
                // Whatever became of the script that waits: it is committed, so it has to run.
                do throws(HypervisorError) { try await new.place.resume(over: try channels().new) } catch {
                    context.warn("\(error.message); its agent is asked to")
                    try await new.place.resume()
                }
                state.withLock { $0.marks.resumeSeen = .now }
                context.driver.happened(.newResumed)
            } catch {
                context.fail(HyperFreshError(error))
                context.driver.happened(new.hypervisor.process.hasExited ? .newExited : .resumeRefused)
            }
        }
        return nil
    }
}

// MARK: - After commit

extension ContainerSides {
    func retire() async -> HandoffEvent {
        context.clock.begin(.retire)
        defer { context.clock.end() }
        // Whatever becomes of it now becomes of it there; if this cannot be recorded, ``settle()`` tries again and says so.
        try? store.move(name, from: old.hypervisor.record, to: new.hypervisor.record)
        if let failure = await end(old, endingSystem: { false }) {
            context.warn("the frozen processes of \(name) did not end: \(failure.message)")
            return .oldSurvived
        }
        return .oldRetired
    }

    func settle() async -> HandoffEvent {
        context.clock.begin(.settle)
        defer { context.clock.end() }
        do {
            try store.move(name, from: old.hypervisor.record, to: new.hypervisor.record)
        } catch {
            context.warn("it could not be recorded where \(name) is: \(error)")
            return .settleFailed
        }
        do throws(HypervisorError) { try await new.place.adopt() } catch {
            context.warn("runc does not know \(name) in its new place: \(error.message)")
        }
        return .settled
    }
}

extension ContainerSides {
    /// Looks whether the container is in its new OS VM as it should be.
    func lookAgain(after outcome: HandoffOutcome) async -> LastLook {
        let system = new.hypervisor.record.hypervisor
        func failure(_ message: String, _ outcome: RefreshOutcome, _ evidence: [String] = []) -> HyperFreshError {
            HyperFreshError(
                message, remedy: "`hyperfresh ps` shows what its OS VM says of it; its console may tell why.",
                evidence: evidence, exitCode: outcome.exitCode)
        }
        do throws(HypervisorError) {
            switch try await new.place.observe() {
            case .running: return .sound(nil)
            case .gone: return .sound("Container \(name) has ended since.")
            case let seen where !state.withLock({ $0.ran }):
                return .sound("Container \(name) is \(seen.rawValue), as before.")
            case let seen:
                return .doubtful(failure("container \(name) does not run in \(system): \(seen.rawValue)", .unknown))
            }
        } catch {
            if new.hypervisor.process.hasExited { return .dead(failure("the new OS VM has ended", .lost)) }
            return .doubtful(
                failure("\(system) does not say whether container \(name) runs", .unknown, [error.message]))
        }
    }
}

// MARK: - Before commit, and only then: the way back

extension ContainerSides {
    func removeNew() async -> HandoffEvent {
        context.clock.begin(.rollback)
        if let failure = await end(new, endingSystem: { self.group.mayEndNew(for: self.name) }) {
            context.fail(
                HyperFreshError(
                    "what was restored of \(name) cannot be ended",
                    remedy: "End instance \(new.hypervisor.record.id), then run `hyperfresh recover`.",
                    evidence: [failure.message]))
            return .newSurvived
        }
        // Nobody there says anything any more: a switch that goes on need not wait for it.
        state.withLock { $0.channels?.new.close() }
        return .newRemoved
    }

    func restoreOld(resume: Bool) async -> HandoffEvent {
        defer { context.clock.end() }
        // What freezes and dumps must be over before anything is thawed: the script there sees to that, heard or not.
        state.withLock { $0.channels?.old.close() }
        await state.withLock { $0.transfer }?.value
        do throws(HypervisorError) {
            try await old.place.takeBack(thaw: resume)
            return .oldRestored
        } catch {
            context.fail(
                HyperFreshError(
                    "container \(name) could not be let go on: \(error.message)",
                    remedy: "Look at the console of its OS VM, then run `hyperfresh recover`.",
                    evidence: error.evidence))
            if old.hypervisor.process.hasExited { context.driver.happened(.oldExited) }
            return .restoreFailed
        }
    }

    /// Ends the container in an OS VM; where that does not answer, is this run's own and has nobody, the whole OS VM.
    private func end(_ placement: ContainerPlacement, endingSystem mayEnd: () -> Bool) async -> HypervisorError? {
        if placement.hypervisor.process.hasExited { return nil }
        do throws(HypervisorError) {
            try await placement.place.end()
            return nil
        } catch {
            guard mayEnd(), await placement.hypervisor.end() else { return error }
            return nil
        }
    }
}
