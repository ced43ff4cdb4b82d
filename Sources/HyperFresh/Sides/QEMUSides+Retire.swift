import Glibc
import Guests
import Handoff
import Linux
import QMP
import Synchronization

/// After the guest runs on the new side: the old one ends, and every way to the guest is where it was.
extension QEMUSides {
    private static let exitDeadline = Duration.seconds(10)

    /// Ends the old QEMU by SIGKILL: it cannot refuse, runs no down-script, and unlinks nothing
    /// (docs/decisions/0001-retire-by-sigkill.md).
    func retire() async -> HandoffEvent {
        scene.clock.begin(.retire)
        defer { scene.clock.end() }
        beginWatchingVCPUs()
        await takeListeners()
        // Refused only when it is gone already, which the wait finds.
        try? old.handle.signal(SIGKILL)
        guard await old.handle.waitForExit(within: Self.exitDeadline) else {
            scene.warn("the old QEMU (pid \(old.process.identity.pid)) did not end within \(Self.exitDeadline)")
            return .oldSurvived
        }
        return .oldRetired
    }

    func settle() async -> HandoffEvent {
        scene.clock.begin(.settle)
        defer { scene.clock.end() }
        guard let new = state.withLock({ $0.new }) else { return .settleFailed }
        var isComplete = true
        do {
            try EndpointFiles.settle(plan.endpoints)
        } catch {
            scene.warn("an endpoint could not be put in its place: \(error)")
            isComplete = false
        }
        for followUp in plan.followUps where !followUp.needsOldProcess {
            do { try await followUp.perform(on: new.client) } catch {
                scene.warn("\(followUp) failed: \(error)")
                isComplete = false
            }
        }
        await leaveNoTrace(on: new)
        return isComplete ? .settled : .settleFailed
    }

    /// Listening sockets that only the old process holds go to the new one while the old one is still there.
    private func takeListeners() async {
        guard let new = state.withLock({ $0.new }) else { return }
        for followUp in plan.followUps where followUp.needsOldProcess {
            do { try await followUp.perform(on: new.client, old: old.handle) } catch {
                scene.warn("\(followUp) failed: \(error)")
            }
        }
    }

    /// The new QEMU forgets that it came by a migration, and tells switches where the guest's networks are.
    private func leaveNoTrace(on new: NewQEMU) async {
        let (settings, oldSettings, capabilities) = state.withLock { state in
            (state.newSettings, state.oldSettings, state.oldCapabilities)
        }
        do {
            if let settings, let warning = try await MigrationLink.restore(settings, on: new.client) {
                scene.warn(warning)
            }
            if let oldSettings { try await MigrationLink.inherit(capabilities, oldSettings, on: new.client) }
            _ = try await new.client.execute(AnnounceSelf())
        } catch {
            scene.warn("the new QEMU keeps some migration settings: \(error)")
        }
    }
}
