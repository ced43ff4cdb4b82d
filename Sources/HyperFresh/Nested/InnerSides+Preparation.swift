import Guests
import Handoff
import Hypervisors
import JSON
import Linux
import QMP
import Synchronization

/// What is done before the switch, while nobody stands still.
extension InnerSides {
    func launch() async -> HandoffEvent {
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
        // An agent that does not answer says nothing of the unit: the monitors and deadlines tell then.
        guard let isActive = try? await seat.unit.isActive(by: seat.hypervisor.agent), !isActive else { return }
        if event == .newExited {
            let words = await seat.unit.lastWords(by: seat.hypervisor.agent)
            scene.fail(
                HyperFreshError("the new QEMU exited", remedy: "Its own words say why.", evidence: words))
        }
        exited(event)
    }

    func exited(_ event: HandoffEvent) {
        if event == .oldExited { state.withLock { $0.oldHasExited = true } }
        scene.driver.happened(event)
    }

    func link() async -> HandoffEvent {
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
