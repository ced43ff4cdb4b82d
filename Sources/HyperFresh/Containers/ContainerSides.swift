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
/// The old side is the frozen processes; the new side is the processes that CRIU restored from their images: complete,
/// stopped, and without network. A side has ended when its OS VM has.
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
        /// The control channels to the scripts that wait for the switch, in the old OS VM and in the new one.
        var channels: (old: ControlChannel, new: ControlChannel)?
        /// The switch in progress; a rollback waits for it.
        var transfer: Task<Void, Never>?
    }

    init(
        old: ContainerPlacement, new: ContainerPlacement, context: HandoffContext, group: HandoffGroup,
        store: StackStore
    ) {
        self.old = old
        self.new = new
        self.context = context
        self.group = group
        self.store = store
    }

    var name: String { new.container.name }

    /// The durations of the switch, by the times at which this host received its events; `nil` if it was not completed.
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

    /// Refuses the commit if the new OS VM is dead: the old one still has the container.
    private func obstacle(to handoffState: HandoffState) -> HyperFreshError? {
        guard handoffState == .committed, new.hypervisor.process.hasExited else { return nil }
        return HyperFreshError(
            "the new OS VM died before \(name) was committed to it",
            remedy: "Try again; the console of the new OS VM may show the cause.")
    }

    func channels() throws(HypervisorError) -> (old: ControlChannel, new: ControlChannel) {
        if let channels = state.withLock({ $0.channels }) { return channels }
        throw HypervisorError("container \(name) has no control channel to its OS VMs", remedy: "Try again.")
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
            context.fail(HyperFreshError(error, in: "container \(name)"))
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
                    "container \(name) was stopped for longer than \(limit)",
                    remedy: "Allow more time with --max-downtime."
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
            context.fail(HyperFreshError(error, in: "container \(name)"))
            return context.driver.happened(.oldFailed)
        }
        // A deadline may have passed during the dump; then the new side is being removed.
        guard context.driver.state == .switching else { return }
        do throws(HypervisorError) {
            let steps = try await new.place.restore(over: try channels().new, within: deadline)
            state.withLock { state in
                state.marks.newCompletedSeen = .now
                state.steps += steps.steps
            }
            context.driver.happened(.newCompleted)
        } catch {
            context.fail(HyperFreshError(error, in: "container \(name)"))
            context.driver.happened(.newFailed)
        }
    }

    func resumeNew() -> HandoffEvent? {
        state.withLock { $0.marks.resumeWritten = .now }
        Task { [self] in
            do throws(HypervisorError) {
                // The container is committed, so it must run, even if the waiting script is gone.
                do throws(HypervisorError) { try await new.place.resume(over: try channels().new) } catch {
                    context.warn("\(error.message); resuming it through the agent")
                    try await new.place.resume()
                }
                state.withLock { $0.marks.resumeSeen = .now }
                context.driver.happened(.newResumed)
            } catch {
                context.fail(HyperFreshError(error, in: "container \(name)"))
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
        // From now on, the container is in the new OS VM. If this cannot be recorded, ``settle()`` tries again and
        // reports it.
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
            context.warn("cannot record where \(name) is: \(error)")
            return .settleFailed
        }
        do throws(HypervisorError) { try await new.place.adopt() } catch {
            context.warn("cannot register \(name) with runc in its new OS VM: \(error.message)")
        }
        return .settled
    }
}

extension ContainerSides {
    /// Checks that the container is in its new OS VM, in the expected state.
    func lookAgain(after outcome: HandoffOutcome) async -> LastLook {
        let system = new.hypervisor.record.hypervisor
        func failure(_ message: String, _ outcome: RefreshOutcome, _ evidence: [String] = []) -> HyperFreshError {
            HyperFreshError(
                message, remedy: "`hyperfresh ps` shows its state; the console of its OS VM may show the cause.",
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
                failure("\(system) did not report whether container \(name) runs", .unknown, [error.message]))
        }
    }
}

// MARK: - Rolling back: only before commit

extension ContainerSides {
    func removeNew() async -> HandoffEvent {
        context.clock.begin(.rollback)
        if let failure = await end(new, endingSystem: { self.group.mayEndNew(for: self.name) }) {
            context.fail(
                HyperFreshError(
                    "the restored processes of \(name) cannot be ended",
                    remedy: "Run `hyperfresh recover --force "
                        + "\(new.hypervisor.record.hypervisor)-\(new.hypervisor.record.id)`: it ends the OS VM.",
                    evidence: [failure.message]))
            return .newSurvived
        }
        // The new side sends nothing any more: a switch in progress need not wait for it.
        state.withLock { $0.channels?.new.close() }
        return .newRemoved
    }

    func restoreOld(resume: Bool) async -> HandoffEvent {
        defer { context.clock.end() }
        // Freezing and dumping must be over before anything is thawed: the script of `takeBack` waits for both,
        // answered or not.
        state.withLock { $0.channels?.old.close() }
        await state.withLock { $0.transfer }?.value
        do throws(HypervisorError) {
            try await old.place.takeBack(thaw: resume)
            return .oldRestored
        } catch {
            context.fail(
                HyperFreshError(
                    "container \(name) could not be resumed: \(error.message)",
                    remedy: "See the console of its OS VM, then run `hyperfresh recover`.",
                    evidence: error.evidence))
            if old.hypervisor.process.hasExited { context.driver.happened(.oldExited) }
            return .restoreFailed
        }
    }

    /// Ends the container in an OS VM; if that does not answer, belongs to this run and has nothing else, ends the OS
    /// VM.
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

// MARK: - Link

extension ContainerSides {
    func link() async -> HandoffEvent {
        context.clock.begin(.link)
        defer { context.clock.end() }
        do throws(HypervisorError) {
            try await proveSameStore()
            let seen = try await old.place.observe()
            guard seen != .gone, seen != .arriving else {
                throw HypervisorError(
                    "container \(name) has ended", remedy: "Start it again: `hyperfresh up STACK-FILE`.")
            }
            // If somebody has stopped one process, the others still have to be resumed.
            state.withLock { $0.ran = seen != .frozen }
            try await new.place.requireRoom(for: try await old.place.memoryInUse())
            for placement in [old, new] { try await placement.place.tryCRIU() }
            let rounds = try await copyMemory()
            try await old.place.prepareDump(afterRounds: rounds, over: try channels().old)
            guard await group.admit(name) else {
                throw HypervisorError(
                    "another container of the OS VM could not be prepared", remedy: "See that container's report.")
            }
            return .linked(guestRuns: seen != .frozen)
        } catch {
            context.fail(HyperFreshError(error, in: "container \(name)"))
            return .linkFailed
        }
    }

    /// Sends a random word through the store and another one back, because names and sizes may match by accident.
    private func proveSameStore() async throws(HypervisorError) {
        let (there, back) = ("\(UniqueID())", "\(UniqueID())")
        _ = try await old.place.exchange(there)
        let found = try await new.place.exchange(back)
        let answer = found == there ? try await old.place.exchange(nil) : ""
        guard found == there, answer == back else {
            throw HypervisorError(
                "the two OS VMs do not see the same image store for container \(name)",
                remedy: "Nothing was paused. Check whether its file was replaced since `hyperfresh up`.",
                evidence: ["written: \(there), \(back)", "read: \(found), \(answer)"])
        }
        context.clock.note("both OS VMs have the same image store")
    }

    /// The maximum number of rounds: memory that is then left is written faster than it is copied.
    private static let roundLimit = 5
    /// With fewer bytes left, another round would cost more than it saves: 1 MiB.
    private static let littleEnough: UInt64 = 1 << 20

    /// Copies memory while the container runs, as long as each round leaves less to copy.
    ///
    /// - Returns: The number of rounds.
    private func copyMemory() async throws(HypervisorError) -> Int {
        var (last, most) = (UInt64.max, UInt64.zero)
        for round in 0..<Self.roundLimit {
            let (bytes, left) = try await old.place.copyMemory(round: round)
            state.withLock { $0.copied.append(bytes) }
            most = max(most, bytes)
            // The first round copies everything, so its size does not predict that of the second.
            if bytes < Self.littleEnough || (round > 0 && bytes > last / 4 * 3) { return round + 1 }
            // Another round may copy as much, and the last dump too: without space for both it would fail.
            if left < 2 * most + Self.littleEnough { return round + 1 }
            last = round == 0 ? .max : bytes
        }
        return Self.roundLimit
    }
}
