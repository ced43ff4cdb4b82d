import Containers
import Handoff
import Hypervisors
import JSON
import Linux
import QMP
import Synchronization

/// Two OS VMs as the sides of a container's relocation.
///
/// The old side is the frozen processes, the new one those that CRIU made of their images: complete, stopped, unheard. A side
/// has ended when its OS VM has.
final class ContainerSides: HandoffSides {
    let old: ContainerSeat
    let new: ContainerSeat
    let scene: HandoffScene
    let group: HandoverGroup
    let store: StackStore
    private let state = Mutex(State())

    private struct State {
        var ran = false
        var copied: [UInt64] = []
        var marks = SwitchMarks()
        var steps: [StepTimes.Step] = []
        /// The switch that goes on: whoever rolls back waits for it.
        var transfer: Task<Void, Never>?
    }

    init(old: ContainerSeat, new: ContainerSeat, scene: HandoffScene, group: HandoverGroup, store: StackStore) {
        self.old = old
        self.new = new
        self.scene = scene
        self.group = group
        self.store = store
    }

    private var name: String { new.container.name }

    /// The moments of the switch, by their arrival on this host; `nil` when it did not come to its end.
    var timing: SwitchTiming? { state.withLock { $0.marks.arrivalTiming } }
    /// What took how long while the container stood still, by the clocks of the two OS VMs.
    var steps: [StepTimes.Step] { state.withLock { $0.steps } }
    /// How many bytes each round copied while the container ran.
    var copied: [UInt64] { state.withLock { $0.copied } }

    func record(_ handoffState: HandoffState) -> HandoffEvent {
        let facts: [String: JSONValue] =
            handoffState == .linked ? ["guest_ran": .bool(state.withLock { $0.ran })] : [:]
        let event = scene.record(handoffState, facts: facts, unless: { self.obstacle(to: handoffState) })
        if event == .recorded(.committed) { group.committed(name) }
        return event
    }

    /// Nothing is committed to an OS VM that is dead: the old one has the container still.
    private func obstacle(to handoffState: HandoffState) -> HyperFreshError? {
        guard handoffState == .committed, new.hypervisor.process.hasExited else { return nil }
        return HyperFreshError(
            "the new OS VM died when \(name) was in it", remedy: "Try again; its console may tell why.")
    }

    func close() { scene.close() }
}

// MARK: - Before the switch

extension ContainerSides {
    func launch() async -> HandoffEvent {
        scene.clock.begin(.launch)
        defer { scene.clock.end() }
        for (seat, event) in [(old, HandoffEvent.oldExited), (new, HandoffEvent.newExited)] {
            scene.watch { [driver = scene.driver] in
                if await seat.hypervisor.process.waitForExit(within: .seconds(86_400)) { driver.happened(event) }
            }
        }
        do throws(HypervisorError) {
            try await new.place.expect()
            return .launched
        } catch {
            scene.fail(HyperFreshError(error))
            return .launchFailed
        }
    }

    func link() async -> HandoffEvent {
        scene.clock.begin(.link)
        defer { scene.clock.end() }
        do throws(HypervisorError) {
            try await proveSameStore()
            let seen = try await old.place.observe()
            guard seen != .gone, seen != .arriving else {
                throw HypervisorError("container \(name) has ended", remedy: "Start it again: `hyperfresh up`.")
            }
            // A process that somebody has stopped is no reason to freeze the others for good.
            state.withLock { $0.ran = seen != .frozen }
            try await new.place.requireRoom(for: try await old.place.memoryInUse())
            for seat in [old, new] { try await seat.hypervisor.tryCRIU() }
            try await old.place.poise(afterRounds: try await copyMemory())
            guard await group.admit(name) else {
                throw HypervisorError(
                    "another container of the OS VM could not be made ready", remedy: "See its own report.")
            }
            return .linked(guestRuns: seen != .frozen)
        } catch {
            scene.fail(HyperFreshError(error))
            return .linkFailed
        }
    }

    /// A word that was random a moment ago goes through the store and back: names and sizes may agree by accident.
    private func proveSameStore() async throws(HypervisorError) {
        let (there, back) = ("\(UniqueID())", "\(UniqueID())")
        _ = try await old.place.exchange(there)
        let found = try await new.place.exchange(back)
        let answer = found == there ? try await old.place.exchange(nil) : ""
        guard found == there, answer == back else {
            throw HypervisorError(
                "the two OS VMs do not see the same image store for container \(name)",
                remedy: "Nothing was paused. Was its file changed since `up`?",
                evidence: ["written: \(there), \(back)", "read: \(found), \(answer)"])
        }
        scene.clock.note("image store proven the same in both")
    }

    /// The most rounds: what is still left then is written faster than it is copied.
    private static let roundLimit = 5
    /// What is so little that another round would save nothing worth its own cost: 1 MiB.
    private static let littleEnough: UInt64 = 1 << 20

    /// Copies memory while the container runs, for as long as that leaves less to copy.
    ///
    /// - Returns: How many rounds it took.
    private func copyMemory() async throws(HypervisorError) -> Int {
        var (last, most) = (UInt64.max, UInt64.zero)
        for round in 0..<Self.roundLimit {
            let (bytes, left) = try await old.place.copyMemory(round: round)
            state.withLock { $0.copied.append(bytes) }
            most = max(most, bytes)
            // The first round copies everything, and says nothing of what the second would find.
            if bytes < Self.littleEnough || (round > 0 && bytes > last / 4 * 3) { return round + 1 }
            // Another round may copy as much, and the last dump too: without room for both it would fail.
            if left < 2 * most + Self.littleEnough { return round + 1 }
            last = round == 0 ? .max : bytes
        }
        return Self.roundLimit
    }
}

// MARK: - The switch

extension ContainerSides {
    func beginSwitch() -> HandoffEvent? {
        scene.clock.begin(.handover)
        state.withLock { $0.marks.stopSeen = .now }
        let limit = scene.maximumDowntime
        scene.watch { [self] in
            guard (try? await Task.sleep(for: limit)) != nil, !scene.driver.state.isCommitted else { return }
            scene.fail(
                HyperFreshError(
                    "container \(name) was stopped for longer than \(limit)", remedy: "Allow more with --max-downtime."
                ))
            scene.driver.happened(.deadlinePassed)
        }
        let task = Task { [self] in await transfer(within: limit + .seconds(30)) }
        state.withLock { $0.transfer = task }
        return nil
    }

    private func transfer(within deadline: Duration) async {
        do throws(HypervisorError) {
            let steps = try await old.place.leave(within: deadline)
            state.withLock { state in
                state.marks.oldCompletedSeen = .now
                state.steps += steps.steps
            }
            scene.driver.happened(.oldCompleted)
        } catch {
            scene.fail(HyperFreshError(error))
            return scene.driver.happened(.oldFailed)
        }
        // A deadline may have passed meanwhile: then the new side is on its way out.
        guard scene.driver.state == .switching else { return }
        do throws(HypervisorError) {
            let steps = try await new.place.arrive(within: deadline)
            state.withLock { state in
                state.marks.newCompletedSeen = .now
                state.steps += steps.steps
            }
            scene.driver.happened(.newCompleted)
        } catch {
            scene.fail(HyperFreshError(error))
            scene.driver.happened(.newFailed)
        }
    }

    func resumeNew() -> HandoffEvent? {
        state.withLock { $0.marks.resumeWritten = .now }
        Task { [self] in
            do throws(HypervisorError) {
                try await new.place.resume()
                state.withLock { $0.marks.resumeSeen = .now }
                scene.driver.happened(.newResumed)
            } catch {
                scene.fail(HyperFreshError(error))
                scene.driver.happened(new.hypervisor.process.hasExited ? .newExited : .resumeRefused)
            }
        }
        return nil
    }
}

// MARK: - After commit

extension ContainerSides {
    func retire() async -> HandoffEvent {
        scene.clock.begin(.retire)
        defer { scene.clock.end() }
        // Whatever becomes of it now becomes of it there; if this cannot be recorded, ``settle()`` says so.
        try? store.move(name, from: old.hypervisor.record, to: new.hypervisor.record)
        if let failure = await end(old, endingSystem: { self.group.mayEndOld(butFor: self.name) }) {
            scene.warn("the frozen processes of \(name) did not end: \(failure.message)")
            return .oldSurvived
        }
        return .oldRetired
    }

    func settle() async -> HandoffEvent {
        scene.clock.begin(.settle)
        defer { scene.clock.end() }
        do {
            try store.move(name, from: old.hypervisor.record, to: new.hypervisor.record)
        } catch {
            scene.warn("it could not be recorded where \(name) is: \(error)")
            return .settleFailed
        }
        do throws(HypervisorError) { try await new.place.adopt() } catch {
            scene.warn("runc does not know \(name) in its new place: \(error.message)")
        }
        return .settled
    }
}

// MARK: - Before commit, and only then: the way back

extension ContainerSides {
    func removeNew() async -> HandoffEvent {
        scene.clock.begin(.rollback)
        if let failure = await end(new, endingSystem: { self.group.mayEndNew(for: self.name) }) {
            scene.fail(
                HyperFreshError(
                    "what was restored of \(name) cannot be ended",
                    remedy: "End instance \(new.hypervisor.record.id), then run `hyperfresh recover`.",
                    evidence: [failure.message]))
            return .newSurvived
        }
        return .newRemoved
    }

    func restoreOld(resume: Bool) async -> HandoffEvent {
        defer { scene.clock.end() }
        // What freezes and dumps must be over before anything is thawed.
        await state.withLock { $0.transfer }?.value
        do throws(HypervisorError) {
            try await old.place.takeBack(thaw: resume)
            return .oldRestored
        } catch {
            scene.fail(
                HyperFreshError(
                    "container \(name) could not be let go on: \(error.message)",
                    remedy: "Look at the console of its OS VM, then run `hyperfresh recover`.",
                    evidence: error.evidence))
            if old.hypervisor.process.hasExited { scene.driver.happened(.oldExited) }
            return .restoreFailed
        }
    }

    /// Ends the container in an OS VM; where that does not answer and may go, the whole OS VM.
    private func end(_ seat: ContainerSeat, endingSystem mayEnd: () -> Bool) async -> HypervisorError? {
        if seat.hypervisor.process.hasExited { return nil }
        do throws(HypervisorError) {
            try await seat.place.end()
            return nil
        } catch {
            guard mayEnd(), await seat.hypervisor.end() else { return error }
            return nil
        }
    }
}
