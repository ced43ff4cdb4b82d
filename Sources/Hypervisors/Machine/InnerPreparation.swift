/// What is made ready for a guest inside a hypervisor before its QEMU is started there.
///
/// One script: each call of the agent is a round trip through two kernels.
public enum InnerPreparation {
    /// udev names a disk a while after it was plugged in; a long while on a busy host.
    private static let appears = """
        appears() {
            tries=0
            while ! [ -b "$1" ]; do
                tries=$((tries + 1)); [ $tries -lt 600 ] || { echo "$1 did not appear" >&2; exit 1; }
                sleep 0.1
            done
        }
        """

    /// A file that the guest's QEMU reads when it starts.
    public struct BootFile: Sendable, Hashable {
        /// What it is there: `kernel` or `initramfs`.
        public let name: String
        /// Its size in bytes: the disk that brings it is longer.
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
    ///   - bootFiles: The files that were attached for it.
    ///   - address: Where its memory was attached.
    ///   - hypervisor: Where.
    /// - Returns: The memory's device.
    /// - Throws: ``HypervisorError``.
    public static func run(
        for guest: InnerGuestSpec, bootFiles: [BootFile], memoryAt address: UInt64, in hypervisor: Hypervisor
    ) async throws(HypervisorError) -> MemoryDevice {
        let files = InnerGuestFiles(guest: guest.name)
        let script =
            [appears, "mkdir -p -m 0700 \(InnerGuestFiles.bootDirectory)"]
            + bootFiles.map { file in
                let device = files.device(file.name)
                return """
                    appears \(device)
                    head -c \(file.size) \(device) >\(InnerGuestFiles.bootDirectory)/\(guest.name).\(file.name)
                    """
            }
            + guest.disks.map { "appears \(files.device($0.name))" }
            + [InnerNetwork.bridges(for: guest, in: hypervisor.record.runName), CoMapping.finding(at: address)]
        let text = try await hypervisor.agent.run(
            script.joined(separator: "\n"), to: "prepare guest \(guest.name)", within: .seconds(90))
        return try CoMapping.device(in: text, at: address)
    }
}
