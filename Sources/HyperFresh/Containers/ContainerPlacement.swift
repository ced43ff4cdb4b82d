import Containers
import Linux
import StackFile
import VirtualMachines

/// A container's placement in one OS VM: the devices that are attached for it from outside.
struct ContainerPlacement: Sendable {
    let stack: Stack
    let container: ContainerSpec
    /// The OS VM.
    let hypervisor: Hypervisor

    var storeFile: ContainerStoreFile { ContainerStoreFile(container, in: stack) }
    var shareServer: ShareServer { ShareServer(container: container, folder: hypervisor.folder) }

    /// The console log of all of the container's runs in this OS VM.
    var consoleLog: String { "\(hypervisor.folder.parent)/\(container.name).console.log" }

    /// Attaches image store, console and root file system unless they are attached; pauses nothing.
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

    /// Returns the steps that undo ``attach()``, except for the image store, which remains until the OS VM ends.
    func unplugs() -> [HotPlug.Steps] {
        [relay.removal, console.removal, HotPlug.Share.removal(of: container.name)]
    }

    /// Attaches the control channel to the scripts that wait for the switch, unless it is attached, and opens it.
    func openControlChannel() async throws(HypervisorError) -> ControlChannel {
        try await hypervisor.attach([relay.steps])
        return try ControlChannel(to: container.name, in: hypervisor)
    }

    /// Undoes ``attach()``, except for the image store; nothing in the OS VM may still use the devices.
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
            throw HyperFreshError(error, in: "container \(container.name)")
        }
    }
}

// MARK: - Place

extension ContainerPlacement {
    /// The place within the OS VM.
    var place: ContainerPlace { ContainerPlace(container, in: hypervisor) }

    /// Attaches everything from outside and prepares the place inside; skips steps that are done already.
    func makeReady() async throws(HyperFreshError) {
        let bundle = try ContainerAdmission.bundle(of: container)
        try await attach()
        do throws(HypervisorError) {
            let address = try await hypervisor.memoryAddress(of: container.name)
            let device = try await CoMapping.findBlockDevice(at: address, by: hypervisor.agent)
            try await place.prepare(store: device, rootFolder: bundle.rootFolder)
        } catch {
            throw HyperFreshError(error, in: "container \(container.name)")
        }
    }

    /// Starts a new run of the container.
    func start() async throws(HyperFreshError) {
        let bundle = try ContainerAdmission.bundle(of: container)
        do throws(HypervisorError) { try await place.start(bundle) } catch {
            throw HyperFreshError(error, in: "container \(container.name)")
        }
    }

    /// Removes the remains of a container that is in another OS VM, except for the memory of the image store.
    func vacate() async throws(HyperFreshError) {
        do throws(HypervisorError) { try await place.clear() } catch {
            throw HyperFreshError(error, in: "container \(container.name)")
        }
        try await detach()
    }
}

// MARK: - Run

extension ContainerPlacement {
    /// The OS VM's QEMU and its virtiofsd processes, which map the image store as long as they live.
    var processes: Set<ProcessIdentity> {
        ShareServer.processes(below: hypervisor.folder.path).union([hypervisor.process.identity])
    }

    /// Whether the container has processes there, running or not.
    func hasProcesses() async throws(HyperFreshError) -> Bool {
        do throws(HypervisorError) { return try await place.observe() != .gone } catch {
            throw HyperFreshError(error, in: "container \(container.name)")
        }
    }

    /// Returns the container's state there: `running`, `frozen`, `paused`, `stopped` without a process, `unknown`.
    func state() async -> String {
        guard let observation = try? await place.observe() else { return "unknown" }
        return switch observation {
        case .gone: "stopped"
        case .running: "running"
        case .frozen: "frozen"
        case .stopped, .arriving: "paused"
        }
    }

    /// Asks the container to end, and kills it if it does not.
    ///
    /// - Parameter grace: How long it may take; zero kills it at once.
    /// - Throws: ``HyperFreshError`` if it may still run.
    func stop(grace: Duration) async throws(HyperFreshError) {
        do throws(HypervisorError) { try await place.stop(grace: grace) } catch {
            throw HyperFreshError(error, in: "container \(container.name)")
        }
    }

    /// Stops the container and removes everything that belongs to it, including the memory of its image store.
    ///
    /// Its NVDIMM remains until the OS VM ends, because QEMU cannot unplug it.
    func remove(grace: Duration) async throws(HyperFreshError) {
        try await stop(grace: grace)
        try await vacate()
        await shareServer.end()
        try storeFile.remove(butFor: processes)
    }
}
