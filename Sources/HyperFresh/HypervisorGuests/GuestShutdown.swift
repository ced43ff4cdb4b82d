import Glibc
import Linux
import QMP
import StackFile
import VirtualMachines

/// Shuts a guest down in its hypervisor.
struct GuestShutdown {
    let placement: GuestPlacement
    /// How long it may take after the power button.
    let grace: Duration

    /// Presses the power button and waits.
    ///
    /// Best effort: whether it is off has to be asked.
    func run() async {
        guard grace > .zero, let client = try? await placement.connect() else { return }
        _ = try? await client.executeRaw("system_powerdown")
        client.close()
        let end = ContinuousClock.now + grace
        // Best effort: whoever calls this asks again, and acts on that.
        while ContinuousClock.now < end, (try? await placement.unit.isActive(by: placement.hypervisor.agent)) == true {
            try? await Task.sleep(for: .milliseconds(200))
        }
    }
}

/// Takes a guest out of a hypervisor that runs on.
struct GuestRemoval {
    let placement: GuestPlacement
    let grace: Duration

    /// Shuts the guest down, ends its QEMU, and takes away what it had.
    ///
    /// Its NVDIMM goes with the hypervisor, as QEMU cannot unplug it; the memory behind it is this host's again at once.
    func run() async throws(HyperFreshError) {
        await GuestShutdown(placement: placement, grace: grace).run()
        do throws(HypervisorError) {
            try await placement.unit.end(by: placement.hypervisor.agent)
            try await placement.hypervisor.detach(placement.unplugs())
        } catch {
            throw HyperFreshError(error)
        }
        // The hypervisor maps it, but has no QEMU that uses it any more.
        try placement.memoryFile.remove(butFor: [placement.hypervisor.process.identity])
        unlink(placement.consoleLog)
    }
}
