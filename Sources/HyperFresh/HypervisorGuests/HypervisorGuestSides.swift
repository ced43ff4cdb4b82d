import Guests
import Handoff
import JSON
import Linux
import Logging
import QMP
import StackFile
import Synchronization
import VirtualMachines

/// The old side of the handoff of a hypervisor's guest: a QEMU in an instance.
struct InnerQEMU: Sendable {
    let placement: GuestPlacement
    let device: MemoryDevice
    let client: QMPClient
}

/// Two QEMUs in two instances of a hypervisor as the sides of a handoff.
///
/// A side has ended when its unit has ended, or its whole instance.
final class HypervisorGuestSides: MigrationSides {
    let old: InnerQEMU
    let newPlacement: GuestPlacement
    let newDevice: MemoryDevice
    let channel: StateChannel
    let context: HandoffContext
    let migration: Migration
    let group: HandoffGroup
    let store: StackStore
    private let state = Mutex(State())

    private struct State {
        var oldHasExited = false
        var taps: [QMPTap] = []
    }

    init(
        old: InnerQEMU, newPlacement: GuestPlacement, newDevice: MemoryDevice, channel: StateChannel,
        context: HandoffContext, group: HandoffGroup, store: StackStore
    ) {
        self.old = old
        self.newPlacement = newPlacement
        self.newDevice = newDevice
        self.channel = channel
        self.context = context
        self.group = group
        self.store = store
        migration = Migration(old: old.client)
    }

    var guest: String { newPlacement.guest.name }
    var oldHasExited: Bool { state.withLock { $0.oldHasExited } }

    /// The durations by the arrival of the events on this host, because the two instances have clocks of their own.
    var timing: SwitchTiming? { migration.guestSwitch?.marks.arrivalTiming }

    var names: (old: String, new: String) {
        (
            "the QEMU of \(guest) in instance \(old.placement.hypervisor.record.id)",
            "the QEMU of \(guest) in instance \(newPlacement.hypervisor.record.id)"
        )
    }

    func lastWords() async -> [String] { await newPlacement.unit.lastWords(by: newPlacement.hypervisor.agent) }

    func close() async {
        context.close()
        state.withLock { $0.taps = [] }
        migration.close()
        await channel.close()
    }
}

// MARK: - Launch

extension HypervisorGuestSides {
    func launch() async -> HandoffEvent {
        context.clock.begin(.launch)
        defer { context.clock.end() }
        do throws(HyperFreshError) {
            migration.new = try await withLogger(
                mergingMetadata: ["side": "new", "guest": "\(newPlacement.guest.name)"]
            ) { _ async throws(HyperFreshError) in
                try await newPlacement.start(on: newDevice, isIncoming: true)
            }
            watchEnds()
            return .launched
        } catch {
            context.fail(error)
            return .launchFailed
        }
    }

    /// Watches for the end of both sides.
    ///
    /// A hypervisor's QEMU reports when a port in it is closed: then the relay has ended, and perhaps the guest's QEMU
    /// too.
    private func watchEnds() {
        let taps = [(old.placement, HandoffEvent.oldExited), (newPlacement, HandoffEvent.newExited)].map {
            placement, event in
            placement.hypervisor.monitor.tap(named: ["VSERPORT_CHANGE"]) { [weak self] message in
                guard case .success(let change) = message, change.data["open"]?.bool == false,
                    change.data["id"]?.string == "port-\(placement.guest.name)"
                else { return }
                self?.context.watch { [weak self] in await self?.lookAfter(placement, event) }
            }
        }
        state.withLock { $0.taps += taps }
        for (placement, event) in [(old.placement, HandoffEvent.oldExited), (newPlacement, HandoffEvent.newExited)] {
            context.watch { [weak self] in
                if await placement.hypervisor.process.waitForExit(within: .seconds(86_400)) { self?.exited(event) }
            }
        }
    }

    private func lookAfter(_ placement: GuestPlacement, _ event: HandoffEvent) async {
        // An agent that does not answer tells nothing about the unit; then monitors and deadlines decide.
        guard let isActive = try? await placement.unit.isActive(by: placement.hypervisor.agent), !isActive else {
            return
        }
        if event == .newExited {
            context.fail(
                HyperFreshError("the new QEMU exited", remedy: "See its messages.", evidence: await lastWords()))
        }
        exited(event)
    }

    private func exited(_ event: HandoffEvent) {
        if event == .oldExited { state.withLock { $0.oldHasExited = true } }
        context.driver.happened(event)
    }
}

// MARK: - Link

extension HypervisorGuestSides {
    /// Proves that both have the same memory, by writing to it, and that both report the same devices in the same
    /// places.
    func proveSameGuest(_ new: QMPClient) async throws {
        do throws(HypervisorError) {
            try await MemoryProof.make(
                guest: newPlacement.guest, old: old.placement.hypervisor, oldDevice: old.device,
                new: newPlacement.hypervisor, newDevice: newDevice)
        } catch {
            throw HyperFreshError(error, in: "guest \(newPlacement.guest.name)")
        }
        context.clock.note("both hypervisors map the same memory")
        async let oldDescription = GuestDescription.describe(old.client, identity: nil)
        async let newDescription = GuestDescription.describe(new, identity: nil)
        let (before, after) = try await (oldDescription, newDescription)
        var differences = GuestComparison.differences(old: before, new: after)
        if before.memoryLayout != after.memoryLayout {
            differences.append("the guest's memory is at other addresses")
        }
        if after.memory.contains(where: { !$0.isShared }) {
            differences.append("the new QEMU does not share the memory")
        }
        guard differences.isEmpty else {
            throw HyperFreshError(
                "the new QEMU does not have the guest's devices",
                remedy: "Check whether the stack file was changed since `hyperfresh up`: a guest keeps the devices "
                    + "with which it was started.",
                evidence: differences)
        }
    }

    func connect(_ new: QMPClient) async throws -> String {
        try await new.execute(MigrateIncoming(uri: channel.incoming))
        do throws(HypervisorError) { try await channel.join() } catch {
            throw HyperFreshError(error, in: "guest \(newPlacement.guest.name)")
        }
        return channel.outgoing
    }

    /// Waits until all guests are ready and another one may be stopped.
    func prepareSwitch(_ guestSwitch: GuestSwitch) async throws(HyperFreshError) {
        guard await group.admit(guest) else {
            throw HyperFreshError(
                "another guest of the hypervisor could not be prepared", remedy: "See that guest's report.")
        }
    }
}

// MARK: - Records

extension HypervisorGuestSides {
    /// Refuses the commit if the new hypervisor is dead: the old one still has the guest.
    func deathOfNew(before handoffState: HandoffState) -> HyperFreshError? {
        guard handoffState == .committed, newPlacement.hypervisor.process.hasExited else { return nil }
        return HyperFreshError(
            "the new hypervisor died before \(guest) was committed to it",
            remedy: "Try again; the console of the new hypervisor may show the cause.")
    }

    func recorded(_ handoffState: HandoffState) {
        if handoffState == .committed { group.committed(guest) }
    }
}

// MARK: - After commit

extension HypervisorGuestSides {
    func retire() async -> HandoffEvent {
        context.clock.begin(.retire)
        defer { context.clock.end() }
        if let failure = await old.placement.endUnit(orHypervisor: { false }) {
            context.warn("the old QEMU of \(guest) did not end: \(failure.message)")
            return .oldSurvived
        }
        return .oldRetired
    }

    func settle() async -> HandoffEvent {
        context.clock.begin(.settle)
        defer { context.clock.end() }
        let instance = newPlacement.hypervisor.record
        do {
            try store.place(guest, on: instance.id, of: instance.hypervisor)
        } catch {
            context.warn("cannot record where \(guest) is: \(error)")
            return .settleFailed
        }
        do {
            try await migration.leaveNoTrace { context.warn($0) }
        } catch {
            context.warn("the new QEMU of \(guest) still has some migration settings: \(error)")
        }
        return .settled
    }
}

// MARK: - Rollback

extension HypervisorGuestSides {
    func removeNew() async -> HandoffEvent {
        context.clock.begin(.rollback)
        if let failure = await newPlacement.endUnit(orHypervisor: { self.group.mayEndNew(for: self.guest) }) {
            context.fail(
                HyperFreshError(
                    "the new QEMU of \(guest) cannot be ended",
                    remedy: "Run `hyperfresh recover --force "
                        + "\(newPlacement.hypervisor.record.hypervisor)-\(newPlacement.hypervisor.record.id)`: it ends "
                        + "the hypervisor.",
                    evidence: [failure.message]))
            return .newSurvived
        }
        return .newRemoved
    }

    var restoreRemedy: String { "See the console of its hypervisor, then run `hyperfresh recover`." }

    func reportIfOldExited() async {
        if old.placement.hypervisor.process.hasExited { exited(.oldExited) }
    }
}

// MARK: - The last look

/// The vCPUs are threads in the hypervisor, not on this host, so their CPU time is not checked.
extension HypervisorGuestSides {
    func lookAtProcesses(after outcome: HandoffOutcome) -> LastLook? {
        newPlacement.hypervisor.process.hasExited ? .dead(failure("the new hypervisor has ended", .lost)) : nil
    }

    func lookAtSilentNew(_ silence: QMPError) async -> LastLook {
        do throws(HypervisorError) {
            guard try await !newPlacement.unit.isActive(by: newPlacement.hypervisor.agent) else {
                return .doubtful(doubt("\(names.new) does not answer", evidence: ["\(silence)"]))
            }
            return .dead(
                failure("\(names.new) exited after the guest had been committed to it", .lost, await lastWords()))
        } catch {
            return lookAtProcesses(after: .refreshed)
                ?? .doubtful(doubt("\(names.new) does not answer", evidence: [error.message]))
        }
    }

    func doubt(_ message: String, evidence: [String]) -> HyperFreshError { failure(message, .unknown, evidence) }

    private func failure(
        _ message: String, _ outcome: RefreshOutcome, _ evidence: [String] = []
    ) -> HyperFreshError {
        HyperFreshError(
            message, remedy: "`hyperfresh ps` shows its state; the console of its hypervisor may show the cause.",
            evidence: evidence, exitCode: outcome.exitCode)
    }
}
