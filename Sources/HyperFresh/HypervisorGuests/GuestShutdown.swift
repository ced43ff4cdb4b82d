import Glibc
import Linux
import QMP
import StackFile
import VirtualMachines

/// Shuts a guest down in its hypervisor.
struct GuestShutdown {
    let placement: GuestPlacement
    /// How long the guest may take after the power button.
    let grace: Duration

    /// Presses the power button and waits.
    ///
    /// Best effort: the caller has to check whether the guest is off.
    func run() async {
        guard grace > .zero, let client = try? await placement.connect() else { return }
        _ = try? await client.executeRaw("system_powerdown")
        client.close()
        let end = ContinuousClock.now + grace
        // Best effort: the caller checks again, and acts on that.
        while ContinuousClock.now < end, (try? await placement.unit.isActive(by: placement.hypervisor.agent)) == true {
            try? await Task.sleep(for: .milliseconds(200))
        }
    }
}

/// Removes a guest from a hypervisor that continues to run.
struct GuestRemoval {
    let placement: GuestPlacement
    let grace: Duration

    /// Shuts the guest down, ends its QEMU, and removes its devices and files.
    ///
    /// Its NVDIMM remains until the hypervisor ends, because QEMU cannot unplug it; the memory behind it is freed
    /// immediately.
    func run() async throws(HyperFreshError) {
        await GuestShutdown(placement: placement, grace: grace).run()
        do throws(HypervisorError) {
            try await placement.unit.end(by: placement.hypervisor.agent)
            try await placement.hypervisor.detach(placement.unplugs())
        } catch {
            throw HyperFreshError(error, in: "guest \(placement.guest.name)")
        }
        // The hypervisor still maps the file, but has no QEMU that uses it.
        try placement.memoryFile.remove(butFor: [placement.hypervisor.process.identity])
        unlink(placement.consoleLog)
    }
}
