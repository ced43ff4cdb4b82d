public import StackFile

/// Prepares a hypervisor for a guest before the guest's QEMU starts.
///
/// All steps are one script: each call of the agent is a round trip through two kernels.
public enum InnerPreparation {
    /// A file that the guest's QEMU reads when it starts.
    public struct BootFile: Sendable, Hashable {
        /// Its name: `kernel` or `initramfs`.
        public let name: String
        /// Its size in bytes; the disk that carries it is larger.
        public let size: Int64

        /// Describes a file.
        ///
        /// - Parameters:
        ///   - name: `kernel` or `initramfs`.
        ///   - size: In bytes.
        public init(name: String, size: Int64) {
            self.name = name
            self.size = size
        }
    }

    /// Copies boot files, makes bridges, and finds the guest's memory.
    ///
    /// - Parameters:
    ///   - guest: The guest.
    ///   - bootFiles: The files that were attached for it as disks.
    ///   - address: The physical address of its memory in the hypervisor.
    ///   - hypervisor: The hypervisor to prepare.
    /// - Returns: The memory's device.
    /// - Throws: ``HypervisorError``.
    public static func run(
        for guest: InnerGuestSpec, bootFiles: [BootFile], memoryAt address: UInt64, in hypervisor: Hypervisor
    ) async throws(HypervisorError) -> MemoryDevice {
        let files = InnerGuestFiles(guest: guest.name)
        var things: [String] = []
        for file in bootFiles {
            things += [
                "boot", files.device(file.name), "\(file.size)",
                "\(InnerGuestFiles.bootDirectory)/\(guest.name).\(file.name)",
            ]
        }
        for disk in guest.disks { things += ["disk", files.device(disk.name)] }
        for card in guest.networks {
            things += [
                "bridge", InnerGuestFiles.bridge(card.network),
                HardwareAddress.derived(instance: hypervisor.record.runName, network: card.network), card.network,
            ]
        }
        things += ["memory", CoMapping.place(of: address)]
        let text = try await hypervisor.agent.run(
            verb: "prepare", things, to: "prepare guest \(guest.name)", within: .seconds(90))
        return try CoMapping.device(in: text, at: address)
    }
}
