import Linux
import StackFile
import VirtualMachines

/// A container's place in one OS VM: what is attached for it from outside.
struct ContainerPlacement: Sendable {
    let stack: Stack
    let container: ContainerSpec
    /// The OS VM.
    let hypervisor: Hypervisor

    var storeFile: ContainerStoreFile { ContainerStoreFile(container, in: stack) }
    var shareServer: ShareServer { ShareServer(container: container, folder: hypervisor.folder) }

    /// Everything that the container wrote to its console in this OS VM, whichever run of it.
    var consoleLog: String { "\(hypervisor.folder.parent)/\(container.name).console.log" }

    /// Attaches image store, console and root file system, as far as they are not there: without a pause of anything.
    func attach() async throws(HyperFreshError) {
        let store = HotPlug.Memory(container: container.name, store: storeFile.path, shape: storeFile.shape)
        try await refining { () throws(HypervisorError) in
            try await hypervisor.attach([store.steps, console.steps])
        }
        let isShared = try await refining { () throws(HypervisorError) in
            try await hypervisor.hasShare(of: container.name)
        }
        guard !isShared else { return }
        try await shareServer.start()
        do throws(HyperFreshError) {
            try await refining { () throws(HypervisorError) in
                try await hypervisor.attachShare(
                    of: container.name, at: hypervisor.folder.shareSocket(container.name))
            }
        } catch {
            await shareServer.end()
            throw error
        }
    }

    /// What takes away all that ``attach()`` has attached, but for the image store, which goes with the OS VM.
    func unplugs() -> [HotPlug.Steps] {
        [relay.removal, console.removal, HotPlug.Share.removal(of: container.name)]
    }

    /// Attaches the way to the scripts that wait for the switch, unless it is there, and opens it.
    func openControlChannel() async throws(HypervisorError) -> ControlChannel {
        try await hypervisor.attach([relay.steps])
        return try ControlChannel(to: container.name, in: hypervisor)
    }

    /// Takes away all that ``attach()`` has attached, but for the image store; nothing in the OS VM may use it any more.
    func detach() async throws(HyperFreshError) {
        try await refining { () throws(HypervisorError) in
            try await hypervisor.detach(unplugs())
        }
        await shareServer.end()
    }

    private var relay: HotPlug.Relay {
        HotPlug.Relay(guest: container.name, socket: hypervisor.folder.relaySocket(container.name))
    }
    private var console: HotPlug.Console { HotPlug.Console(guest: container.name, log: consoleLog) }

    private func refining<T>(_ work: () async throws(HypervisorError) -> T) async throws(HyperFreshError) -> T {
        do throws(HypervisorError) {
            return try await work()
        } catch {
            throw HyperFreshError(error)
        }
    }
}
