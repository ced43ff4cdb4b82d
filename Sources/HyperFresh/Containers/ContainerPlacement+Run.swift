import Containers
import Linux
import StackFile
import VirtualMachines

extension ContainerPlacement {
    /// The OS VM's QEMU, and what serves it: they map the image store as long as they live.
    var processes: Set<ProcessIdentity> {
        ShareServer.processes(below: hypervisor.folder.path).union([hypervisor.process.identity])
    }

    /// Whether the container has processes there, running or not.
    func hasProcesses() async throws(HyperFreshError) -> Bool {
        do throws(HypervisorError) { return try await place.observe() != .gone } catch { throw HyperFreshError(error) }
    }

    /// What it does there, in a word: `running`, `frozen`, `paused`, `stopped` without a process, `unknown`.
    func state() async -> String {
        guard let observation = try? await place.observe() else { return "unknown" }
        return switch observation {
        case .gone: "stopped"
        case .running: "running"
        case .frozen: "frozen"
        case .stopped, .arriving: "paused"
        }
    }

    /// Tells the container to end, and ends it when it does not.
    ///
    /// - Parameter grace: How long it may take; zero ends it at once.
    /// - Throws: ``HyperFreshError`` when that cannot be made sure of.
    func stop(grace: Duration) async throws(HyperFreshError) {
        do throws(HypervisorError) { try await place.stop(grace: grace) } catch { throw HyperFreshError(error) }
    }

    /// Stops the container and takes away what it had, also the memory behind its image store.
    ///
    /// Its NVDIMM goes with the OS VM, as QEMU cannot unplug it.
    func remove(grace: Duration) async throws(HyperFreshError) {
        try await stop(grace: grace)
        try await vacate()
        await shareServer.end()
        try storeFile.remove(butFor: processes)
    }
}
