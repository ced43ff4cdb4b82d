import Guests
import Handoff
import Hypervisors
import JSON
import Linux
import QMP
import Synchronization

/// The old side of an inner guest's handoff: a QEMU in a hypervisor.
struct InnerQEMU: Sendable {
    let seat: GuestSeat
    let device: MemoryDevice
    let client: QMPClient
}

/// Two QEMUs in two hypervisors as the sides of a handoff.
///
/// A side has ended when its unit has, or when its whole hypervisor has.
final class InnerSides: HandoffSides {
    let old: InnerQEMU
    let newSeat: GuestSeat
    let newDevice: MemoryDevice
    let channel: StateChannel
    let scene: HandoffScene
    let refresh: HandoverGroup
    let store: StackStore
    let state = Mutex(State())

    struct State {
        var new: QMPClient?
        var oldSettings: MigrationLink.Settings?
        var newSettings: MigrationLink.Settings?
        var guestRuns = false
        var transfer: GuestSwitch?
        var oldHasExited = false
        var newLastWords: [String] = []
        var taps: [QMPTap] = []
    }

    init(
        old: InnerQEMU, newSeat: GuestSeat, newDevice: MemoryDevice, channel: StateChannel, scene: HandoffScene,
        refresh: HandoverGroup, store: StackStore
    ) {
        self.old = old
        self.newSeat = newSeat
        self.newDevice = newDevice
        self.channel = channel
        self.scene = scene
        self.refresh = refresh
        self.store = store
    }

    var guest: String { newSeat.guest.name }
    var endedGuest: EndedGuest? { state.withLock { $0.transfer }?.endedGuest }

    func perform(_ action: HandoffAction) async -> HandoffEvent {
        switch action {
        case .launchNew: await launch()
        case .link: await linkSides()
        case .retireOld: await retire()
        case .settle: await settle()
        case .removeNew: await removeNew()
        case .restoreOld(let resume): await restoreOld(resume: resume)
        // The driver performs these itself, in place.
        case .record, .beginSwitch, .resumeNew, .finish: preconditionFailure("\(action) is not performed in a task")
        }
    }

    func record(_ handoffState: HandoffState) -> HandoffEvent {
        let event = scene.record(
            handoffState, facts: news(with: handoffState), unless: { self.obstacle(to: handoffState) })
        if event == .recorded(.committed) { refresh.committed(guest) }
        return event
    }

    private func obstacle(to handoffState: HandoffState) -> HyperFreshError? {
        switch handoffState {
        case .switching:
            let (transfer, ran) = state.withLock { ($0.transfer, $0.guestRuns) }
            return transfer?.outsideHand(since: ran)
        // No guest is committed to a hypervisor that is dead: the old one has it still.
        case .committed where newSeat.hypervisor.process.hasExited:
            return HyperFreshError(
                "the new hypervisor died when \(guest) was in it", remedy: "Try again; its console may tell why.")
        default: return nil
        }
    }

    private func news(with handoffState: HandoffState) -> [String: JSONValue] {
        switch handoffState {
        case .linked: ["guest_ran": .bool(state.withLock { $0.guestRuns })]
        // Whoever recovers from here does not let a guest run that has come to its own end since.
        case .committed where endedGuest != nil: ["guest_ran": false]
        default: [:]
        }
    }

    func beginSwitch() -> HandoffEvent? {
        scene.clock.begin(.handover)
        guard let transfer = state.withLock({ $0.transfer }) else { return .switchRefused }
        return transfer.begin()
    }

    func resumeNew() -> HandoffEvent? {
        guard let transfer = state.withLock({ $0.transfer }) else { return .resumeRefused }
        return transfer.resumeNew()
    }

    func close() {
        scene.close()
        let (new, transfer) = state.withLock { state in
            state.taps = []
            return (state.new, state.transfer)
        }
        transfer?.stopListening()
        new?.close()
        old.client.close()
    }
}

// MARK: - Before the switch

extension InnerSides {
    private func launch() async -> HandoffEvent {
        scene.clock.begin(.launch)
        defer { scene.clock.end() }
        do throws(HyperFreshError) {
            let client = try await newSeat.start(on: newDevice, isIncoming: true)
            state.withLock { $0.new = client }
            watchEnds()
            return .launched
        } catch {
            scene.fail(error)
            return .launchFailed
        }
    }

    /// A hypervisor's QEMU tells when a port in it is closed: then the relay ended, and with it perhaps the guest's QEMU.
    private func watchEnds() {
        let taps = [(old.seat, HandoffEvent.oldExited), (newSeat, HandoffEvent.newExited)].map { seat, event in
            seat.hypervisor.monitor.tap(named: ["VSERPORT_CHANGE"]) { [weak self] message in
                guard case .success(let change) = message, change.data["open"]?.bool == false,
                    change.data["id"]?.string == "port-\(seat.guest.name)"
                else { return }
                self?.watchClosed(seat, event)
            }
        }
        state.withLock { $0.taps += taps }
        for (seat, event) in [(old.seat, HandoffEvent.oldExited), (newSeat, HandoffEvent.newExited)] {
            scene.watch { [weak self] in
                if await seat.hypervisor.process.waitForExit(within: .seconds(86_400)) { self?.exited(event) }
            }
        }
    }

    private func watchClosed(_ seat: GuestSeat, _ event: HandoffEvent) {
        scene.watch { [weak self] in await self?.lookAfter(seat, event) }
    }

    private func lookAfter(_ seat: GuestSeat, _ event: HandoffEvent) async {
        guard let isActive = try? await seat.unit.isActive(by: seat.hypervisor.agent), !isActive else { return }
        if event == .newExited {
            let words = await seat.unit.lastWords(by: seat.hypervisor.agent)
            scene.fail(
                HyperFreshError("the new QEMU exited", remedy: "Its own words say why.", evidence: words))
        }
        exited(event)
    }

    private func exited(_ event: HandoffEvent) {
        if event == .oldExited { state.withLock { $0.oldHasExited = true } }
        scene.driver.happened(event)
    }

    private func linkSides() async -> HandoffEvent {
        scene.clock.begin(.link)
        defer { scene.clock.end() }
        guard let new = state.withLock({ $0.new }) else { return .linkFailed }
        do {
            try await proveSameGuest(new)
            try await agree(with: new)
            try await new.execute(MigrateIncoming(uri: channel.incoming))
            try await channel.join()
            let transfer = GuestSwitch(
                scene: scene, old: old.client, new: new, uri: channel.outgoing,
                oldHasExited: { [weak self] in self?.state.withLock { $0.oldHasExited } ?? false },
                lastWords: { [] })
            transfer.listen()
            state.withLock { $0.transfer = transfer }
            // Nobody is stopped before everybody is ready, and no more at once than was asked for.
            guard await refresh.admit(guest) else {
                scene.fail(
                    HyperFreshError(
                        "another guest of the hypervisor could not be made ready", remedy: "See its own report."))
                return .linkFailed
            }
            let guestRuns = try await old.client.execute(QueryStatus()).isRunning
            state.withLock { $0.guestRuns = guestRuns }
            return .linked(guestRuns: guestRuns)
        } catch let failure as HyperFreshError {
            scene.fail(failure)
        } catch let failure as HypervisorError {
            scene.fail(HyperFreshError(failure))
        } catch {
            let words = await newSeat.unit.lastWords(by: newSeat.hypervisor.agent)
            scene.fail(HyperFreshError("the two QEMUs could not be linked", because: error).adding(evidence: words))
        }
        return .linkFailed
    }

    /// The same memory, shown by writing to it; the same devices in the same places, by the word of both.
    private func proveSameGuest(_ new: QMPClient) async throws {
        try await MemoryProof.make(
            guest: newSeat.guest, old: old.seat.hypervisor, oldDevice: old.device, new: newSeat.hypervisor,
            newDevice: newDevice)
        scene.clock.note("memory proven the same in both hypervisors")
        async let oldDescription = GuestDescription.describe(old.client, identity: nil)
        async let newDescription = GuestDescription.describe(new, identity: nil)
        let (before, after) = try await (oldDescription, newDescription)
        var differences = GuestComparison.differences(old: before, new: after)
        if before.memoryLayout != after.memoryLayout {
            differences.append("the guest's memory lies at other addresses")
        }
        if after.memory.contains(where: { !$0.isShared }) {
            differences.append("the new QEMU does not share the memory")
        }
        guard differences.isEmpty else {
            throw HyperFreshError(
                "the new QEMU does not have the guest's devices",
                remedy: "Was the stack changed since `up`? A guest keeps what it was started with.",
                evidence: differences)
        }
    }

    private func agree(with new: QMPClient) async throws {
        let oldSettings = try await MigrationLink.inspect(old.client)
        let newSettings = try await MigrationLink.inspect(new)
        try scene.journal.append(.launched, facts: ["restore_old": oldSettings.json, "restore_new": newSettings.json])
        state.withLock { ($0.oldSettings, $0.newSettings) = (oldSettings, newSettings) }
        try await MigrationLink.prepare(old.client, changing: oldSettings)
        try await MigrationLink.prepare(new, changing: newSettings)
    }
}

// MARK: - After commit

extension InnerSides {
    private func retire() async -> HandoffEvent {
        scene.clock.begin(.retire)
        defer { scene.clock.end() }
        if let failure = await InnerEnd.end(old.seat, endingHypervisor: { self.refresh.mayEndOld(butFor: self.guest) })
        {
            scene.warn("the old QEMU of \(guest) did not end: \(failure.message)")
            return .oldSurvived
        }
        return .oldRetired
    }

    private func settle() async -> HandoffEvent {
        scene.clock.begin(.settle)
        defer { scene.clock.end() }
        guard let new = state.withLock({ $0.new }) else { return .settleFailed }
        do {
            let instance = newSeat.hypervisor.record
            try store.place(guest, on: instance.id, of: instance.hypervisor)
        } catch {
            scene.warn("it could not be recorded where \(guest) is: \(error)")
            return .settleFailed
        }
        do {
            let settings = state.withLock { $0.newSettings }
            if let settings { try await MigrationLink.restore(settings, on: new) }
            _ = try await new.execute(AnnounceSelf())
        } catch {
            scene.warn("the new QEMU of \(guest) keeps some migration settings: \(error)")
        }
        return .settled
    }
}

// MARK: - Before commit, and only then: the way back

extension InnerSides {
    private func removeNew() async -> HandoffEvent {
        scene.clock.begin(.rollback)
        if let failure = await InnerEnd.end(newSeat, endingHypervisor: { self.refresh.mayEndNew(for: self.guest) }) {
            scene.fail(
                HyperFreshError(
                    "the new QEMU of \(guest) cannot be ended",
                    remedy: "End hypervisor instance "
                        + "\(newSeat.hypervisor.record.id), then run `hyperfresh recover`.",
                    evidence: [failure.message]))
            return .newSurvived
        }
        return .newRemoved
    }

    private func restoreOld(resume: Bool) async -> HandoffEvent {
        defer { scene.clock.end() }
        do {
            try await OldSide.restore(
                old.client, settings: state.withLock { $0.oldSettings }, resume: resume,
                isOurs: state.withLock { $0.transfer }?.mayHaveBegun ?? false, endedGuest: { self.endedGuest })
            return .oldRestored
        } catch {
            scene.fail(
                HyperFreshError(
                    "the old QEMU of \(guest) could not be restored", because: error,
                    remedy: "Look at its hypervisor's console, then run `hyperfresh recover`."))
            if old.seat.hypervisor.process.hasExited { exited(.oldExited) }
            return .restoreFailed
        }
    }
}
