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

// MARK: - After commit

extension InnerSides {
    func retire() async -> HandoffEvent {
        scene.clock.begin(.retire)
        defer { scene.clock.end() }
        if let failure = await InnerEnd.end(old.seat, endingHypervisor: { false }) {
            scene.warn("the old QEMU of \(guest) did not end: \(failure.message)")
            return .oldSurvived
        }
        return .oldRetired
    }

    func settle() async -> HandoffEvent {
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
    func removeNew() async -> HandoffEvent {
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

    func restoreOld(resume: Bool) async -> HandoffEvent {
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
