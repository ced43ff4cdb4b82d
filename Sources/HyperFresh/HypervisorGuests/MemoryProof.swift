import StackFile
import VirtualMachines

/// The proof that two hypervisors see the same memory: a random word written by one, read by the other.
///
/// Names, sizes and UUIDs may match by accident; a fresh random word does not.
enum MemoryProof {
    /// Bytes.
    static let length: UInt64 = 32

    static func make(
        guest: InnerGuestSpec, old: Hypervisor, oldDevice: MemoryDevice, new: Hypervisor, newDevice: MemoryDevice
    ) async throws(HypervisorError) {
        let offset = MemoryFileShape(memory: guest.memory).proofOffsetInDevice
        // Both ways: a private copy of the memory would pass in one direction.
        try await check(from: (old, oldDevice), to: (new, newDevice), at: offset, guest: guest.name)
        try await check(from: (new, newDevice), to: (old, oldDevice), at: offset, guest: guest.name)
    }

    private static func check(
        from writer: (Hypervisor, MemoryDevice), to reader: (Hypervisor, MemoryDevice), at offset: UInt64, guest: String
    ) async throws(HypervisorError) {
        let digits = Array("0123456789abcdef")
        let word = String((0..<Int(length)).map { _ in digits[Int.random(in: 0..<16)] })
        try await CoMapping.write(word, into: writer.1, at: offset, by: writer.0.agent)
        let found = try await CoMapping.read(length: word.utf8.count, from: reader.1, at: offset, by: reader.0.agent)
        guard found == word else {
            throw HypervisorError(
                "the two hypervisors do not see the same memory for guest \(guest)",
                remedy: "Nothing was paused. Check whether the guest's memory file was replaced since `hyperfresh up`.",
                evidence: ["written: \(word)", "read: \(found)"])
        }
    }
}
