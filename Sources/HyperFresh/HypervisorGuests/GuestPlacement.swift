import Linux
import QMP
import StackFile
import VirtualMachines

/// A guest's placement in one hypervisor: the devices attached for it, the preparation inside, and its QEMU.
struct GuestPlacement: Sendable {
    let stack: Stack
    let guest: InnerGuestSpec
    let hypervisor: Hypervisor

    var unit: InnerUnit { InnerUnit(guest.name) }
    var memoryFile: GuestMemoryFile { GuestMemoryFile(guest, in: stack) }

    /// The log of the guest's first serial port, from all hypervisors in which it has run.
    var consoleLog: String { "\(hypervisor.folder.parent)/\(guest.name).console.log" }

    /// Attaches memory, disks, boot files and the monitor's channel, from outside.
    func attach() async throws(HyperFreshError) {
        try await refining { () throws(HypervisorError) in
            try await hypervisor.attach(plugs())
        }
    }

    private func plugs() -> [HotPlug.Steps] {
        let memory = HotPlug.Memory(
            guest: guest.name, path: memoryFile.path, shape: MemoryFileShape(memory: guest.memory),
            hugePages: stack.hyperplexor.hugePages)
        return [memory.steps, console.steps, relay.steps] + disks.map(\.steps)
    }

    /// Returns the steps that undo ``attach()``, except for the memory.
    func unplugs() -> [HotPlug.Steps] { [console.removal, relay.removal] + disks.map(\.removal) }

    private var console: HotPlug.Console { HotPlug.Console(guest: guest.name, log: consoleLog) }

    private var relay: HotPlug.Relay {
        HotPlug.Relay(guest: guest.name, socket: hypervisor.folder.relaySocket(guest.name))
    }

    private var disks: [HotPlug.Disk] {
        let boot = bootFiles.map { DiskSpec(name: $0.name, path: $0.path, format: .raw, isReadOnly: true) }
        return (guest.disks + boot).map { disk in
            let storage = HostStorage.examine(disk.path)
            return HotPlug.Disk(
                disk, of: guest.name, isBlockDevice: storage.isBlockDevice, bypassesCache: storage.bypassesCache)
        }
    }

    private var bootFiles: [(name: String, path: String)] {
        guard case .kernel(let path, let initramfs, _) = guest.boot else { return [] }
        return [("kernel", path)] + (initramfs.map { [("initramfs", $0)] } ?? [])
    }

    /// Returns the boot files with their sizes, at which the hypervisor cuts off its copies.
    private func measuredBootFiles() throws(HyperFreshError) -> [InnerPreparation.BootFile] {
        var files: [InnerPreparation.BootFile] = []
        for file in bootFiles {
            do throws(SystemError) {
                files.append(InnerPreparation.BootFile(name: file.name, size: try Files.status(file.path).size))
            } catch {
                throw HyperFreshError(
                    "cannot read the \(file.name) of guest \(guest.name)", because: error,
                    remedy: "Check its path in the stack file: \(file.path).")
            }
        }
        return files
    }

    /// Prepares the inside of the hypervisor: copies boot files, bridges networks, finds the memory.
    func prepare() async throws(HyperFreshError) -> MemoryDevice {
        let files = try measuredBootFiles()
        return try await refining { () throws(HypervisorError) in
            let address = try await hypervisor.memoryAddress(of: guest.name)
            let device = try await InnerPreparation.run(
                for: guest, bootFiles: files, memoryAt: address, in: hypervisor)
            let needed = MemoryFileShape(memory: guest.memory).proofOffsetInDevice + MemoryProof.length
            guard device.size >= needed else {
                throw HypervisorError(
                    "the memory of guest \(guest.name) has \(device.size) bytes in the hypervisor, but needs \(needed)",
                    remedy:
                        "Its memory file has another size than in the stack file. Take the stack down and up again: "
                        + "`hyperfresh down STACK`, then `hyperfresh up STACK-FILE`.")
            }
            return device
        }
    }

    /// Starts the guest's QEMU, paused and waiting for state if `isIncoming`, and connects to its monitor.
    func start(on device: MemoryDevice, isIncoming: Bool) async throws(HyperFreshError) -> QMPClient {
        let command = InnerCommandLine(guest, dax: device.path, isIncoming: isIncoming)
        return try await refining { () throws(HypervisorError) in
            try await unit.start(
                [command.executable] + command.arguments, cards: guest.networks,
                channel: hypervisor.folder.relaySocket(guest.name), by: hypervisor.agent)
        }
    }

    /// Connects to the monitor of the guest's QEMU.
    func connect() async throws(HypervisorError) -> QMPClient {
        try await unit.connect(through: hypervisor.folder.relaySocket(guest.name), agent: hypervisor.agent)
    }

    /// Ends the guest's QEMU permanently, or the whole hypervisor if that does not answer and may be ended.
    ///
    /// - Parameter mayEndHypervisor: Whether this run has started the hypervisor and has committed no guest to it; any
    ///   other hypervisor that does not answer may have guests.
    /// - Returns: The reason why it may still exist; `nil` if it is gone.
    func endUnit(orHypervisor mayEndHypervisor: () -> Bool) async -> HypervisorError? {
        if hypervisor.process.hasExited { return nil }
        do throws(HypervisorError) {
            try await unit.end(by: hypervisor.agent)
            return nil
        } catch {
            guard mayEndHypervisor(), await hypervisor.end() else { return error }
            return nil
        }
    }

    private func refining<T>(_ work: () async throws(HypervisorError) -> T) async throws(HyperFreshError) -> T {
        do throws(HypervisorError) {
            return try await work()
        } catch {
            throw HyperFreshError(error, in: "guest \(guest.name)")
        }
    }
}
