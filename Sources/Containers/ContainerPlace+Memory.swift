public import Hypervisors

/// The memory that a container's processes take in an OS VM.
extension ContainerPlace {
    /// What is left beside it: an OS VM without any memory left ends programs.
    private static let margin: UInt64 = 32 << 20

    /// How many bytes the processes, and the files that they have in memory, take now.
    ///
    /// - Throws: ``HypervisorError``.
    public func memoryInUse() async throws(HypervisorError) -> UInt64 {
        let text = try await agent.run(
            """
            bytes=0
            while read -r key value; do
                case $key in anon | shmem) bytes=$((bytes + value)) ;; esac
            done <\(files.controlGroupFolder)/memory.stat
            echo $bytes
            """, to: "measure the memory of container \(name)")
        return try bytes(text)
    }

    /// Makes sure that there is memory for what is to come.
    ///
    /// - Parameter bytes: How much.
    /// - Throws: ``HypervisorError`` when there is not so much.
    public func requireRoom(for bytes: UInt64) async throws(HypervisorError) {
        let text = try await agent.run(
            """
            while read -r key value unit; do
                [ "$key" != MemAvailable: ] || echo $((value * 1024))
            done </proc/meminfo
            """, to: "see how much memory is left for container \(name)")
        let available = try self.bytes(text)
        guard available >= bytes + Self.margin else {
            throw HypervisorError(
                "OS VM \(system.record.hypervisor) has \(available >> 20) MiB of memory left, and container \(name) takes "
                    + "\(bytes >> 20) MiB",
                remedy: "Give the OS VM more memory in the stack file and refresh it, or relocate something away.")
        }
    }

    private func bytes(_ text: String) throws(HypervisorError) -> UInt64 {
        guard let bytes = UInt64(text.filter { !$0.isWhitespace }) else {
            throw HypervisorError(
                "OS VM \(system.record.hypervisor) does not say how much memory there is",
                remedy: "See its console.", evidence: [text])
        }
        return bytes
    }
}
