import Guests
import Handoff
import Linux
import QMP
import Synchronization

extension QEMUSides {
    /// Agrees on capabilities, proves that both map the same memory, and gives each its end of the channel.
    func link() async -> HandoffEvent {
        scene.clock.begin(.link)
        defer { scene.clock.end() }
        guard let new = state.withLock({ $0.new }) else { return .linkFailed }
        do {
            try await proveSameGuest(new)
            try await agree(with: new)
            try Task.checkCancellation()
            try await MigrationLink.connect(old: old.client, new: new.client)
            prepareSwitch(to: new)
            let guestRuns = try await old.client.execute(QueryStatus()).isRunning
            // Without them the last look goes by QEMU's word alone.
            let vcpus = (try? await new.client.execute(QueryCPUsFast())) ?? []
            state.withLock { state in
                state.guestRuns = guestRuns
                state.vcpuThreads = vcpus.map(\.threadID)
            }
            return .linked(guestRuns: guestRuns)
        } catch let failure as HyperFreshError {
            scene.fail(failure.adding(evidence: errorLines()))
        } catch {
            scene.fail(
                HyperFreshError("the two QEMUs could not be linked", because: error).adding(evidence: errorLines()))
        }
        return .linkFailed
    }

    /// Listens to both sides, from before the switch to the end.
    private func prepareSwitch(to new: NewQEMU) {
        let transfer = GuestSwitch(
            scene: scene, old: old.client, new: new.client, uri: "fd:\(MigrationLink.channel)",
            oldHasExited: { [old] in old.handle.hasExited }, lastWords: { [weak self] in self?.errorLines() ?? [] })
        transfer.listen()
        state.withLock { $0.transfer = transfer }
        scene.watch { [self] in
            if await old.handle.waitForExit(within: .seconds(86_400)) { transfer.oldIsGone() }
        }
    }

    /// Whoever recovers has to know what was set before: a QEMU that keeps `x-ignore-shared` would lose its guest's memory
    /// in the next ordinary migration to another host.
    private func agree(with new: NewQEMU) async throws {
        let oldCapabilities = try await old.client.execute(QueryMigrateCapabilities())
        let oldSettings = try await MigrationLink.inspect(old.client)
        let newSettings = try await MigrationLink.inspect(new.client)
        try scene.journal.append(.launched, facts: ["restore_old": oldSettings.json, "restore_new": newSettings.json])
        state.withLock { state in
            (state.oldSettings, state.newSettings, state.oldCapabilities) = (oldSettings, newSettings, oldCapabilities)
        }
        try await MigrationLink.prepare(old.client, changing: oldSettings)
        try await MigrationLink.prepare(new.client, changing: newSettings)
    }

    /// The same memory at the same guest addresses, and the same devices in the same places.
    ///
    /// QEMU reports a completed migration even when the new side mapped other memory: so this is proven before, on the
    /// processes themselves.
    private func proveSameGuest(_ new: NewQEMU) async throws {
        let description = try await GuestDescription.describe(new.client, identity: new.handle.identity)
        let identity = try MemoryIdentity.prove(
            old: old.process.identity, old.description, new: new.handle.identity, description)
        scene.clock.note("memory proven the same: \(identity)")
        let strays = try ImageNames(of: old.process, old.description)
            .strays(openBy: [old.process.identity.pid, new.handle.identity.pid])
        guard strays.isEmpty else {
            throw HyperFreshError(
                "the new QEMU has not opened the guest's disks, but other files of their names",
                remedy: "Put the files back under their names, and try again.", evidence: strays)
        }
        let differences = GuestComparison.differences(old: old.description, new: description)
        guard differences.isEmpty else {
            throw HyperFreshError(
                "the new QEMU does not have the guest's devices",
                remedy: "Remove or re-add what differs, or report the command line that led here.",
                evidence: differences)
        }
    }
}
