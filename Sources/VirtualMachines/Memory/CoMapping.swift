internal import StackFile

/// A guest's memory inside one hypervisor: a DAX device on the NVDIMM that this host attached.
public struct MemoryDevice: Sendable, Hashable {
    /// Its device file in the hypervisor, such as `/dev/dax0.0`.
    public let path: String
    /// Its size in bytes: the guest's memory and the proof behind it.
    public let size: UInt64
}

/// Finds guest memory in hypervisors by its address, and accesses the proof that both hypervisors map the same file.
///
/// This host formats the file once, when it creates it (``DAXInfoBlock``); each hypervisor then finds a DAX device.
package enum CoMapping {
    /// Finds the DAX device at an address, in a hypervisor to which formatted memory is attached.
    ///
    /// - Parameters:
    ///   - address: The memory's address in the hypervisor's physical address space, as set by this host.
    ///   - agent: The hypervisor's agent.
    /// - Returns: The device.
    /// - Throws: ``HypervisorError``.
    package static func find(
        at address: UInt64, by agent: HypervisorAgent
    ) async throws(HypervisorError) -> MemoryDevice {
        try device(
            in: try await agent.run(
                verb: "find-memory", [place(of: address)], to: "find guest memory", within: .seconds(30)), at: address)
    }

    /// Returns the address that the kernel shows for memory attached at an address: it starts after the info block.
    static func place(of address: UInt64) -> String { hexadecimal(address &+ MemoryFileShape.infoBlockSize) }

    static func device(in text: String, at address: UInt64) throws(HypervisorError) -> MemoryDevice {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, isDeviceName(words[0]), let size = UInt64(words[1]) else {
            throw HypervisorError(
                "the hypervisor has no DAX device for the memory at \(hexadecimal(address))",
                remedy: "Use an image whose kernel has NFIT and DEV_DAX: scripts/build-hypervisor-image builds one.",
                evidence: text.split(whereSeparator: \.isNewline).suffix(6).map(String.init))
        }
        return MemoryDevice(path: "/dev/\(words[0])", size: size)
    }

    /// Returns whether this is a name such as `dax0.0`; it becomes part of a path and of a command line.
    private static func isDeviceName(_ name: Substring) -> Bool {
        let parts = name.dropFirst("dax".count).utf8.split(
            separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return name.hasPrefix("dax") && name.utf8.count <= 20 && parts.count == 2
            && parts.allSatisfy { part in
                !part.isEmpty && part.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            }
    }

    static func hexadecimal(_ address: UInt64) -> String { "0x" + String(address, radix: 16) }
}

extension CoMapping {
    /// Writes a text behind the guest's memory.
    ///
    /// - Parameters:
    ///   - word: The text: at most 64 letters and digits.
    ///   - device: The memory.
    ///   - offset: The offset from the device's start, in bytes.
    ///   - agent: The hypervisor's agent.
    /// - Throws: ``HypervisorError``.
    package static func write(
        _ word: String, into device: MemoryDevice, at offset: UInt64, by agent: HypervisorAgent
    ) async throws(HypervisorError) {
        try await agent.run(
            verb: "write-memory",
            [device.path, "\(offset)", "\(word.utf8.count)"], input: Array(word.utf8), to: "write behind guest memory")
    }

    /// Reads a text behind the guest's memory.
    ///
    /// - Parameters:
    ///   - length: The length in bytes.
    ///   - device: The memory.
    ///   - offset: The offset from the device's start, in bytes.
    ///   - agent: The hypervisor's agent.
    /// - Returns: The text.
    /// - Throws: ``HypervisorError``.
    package static func read(
        length: Int, from device: MemoryDevice, at offset: UInt64, by agent: HypervisorAgent
    ) async throws(HypervisorError) -> String {
        try await agent.run(
            verb: "read-memory", [device.path, "\(offset)", "\(length)"],
            to: "read behind guest memory")
    }
}

// MARK: - Store

extension CoMapping {
    /// Finds the block device at an address, in an OS VM to which an image store is attached.
    ///
    /// - Parameters:
    ///   - address: The store's address in the OS VM's physical address space, as set by this host.
    ///   - agent: The OS VM's agent.
    /// - Returns: Its device file in the OS VM, such as `/dev/pmem0`.
    /// - Throws: ``HypervisorError``.
    package static func findBlockDevice(
        at address: UInt64, by agent: HypervisorAgent
    ) async throws(HypervisorError) -> String {
        let text = try await agent.run(
            verb: "find-store", [place(of: address)], to: "find the image store", within: .seconds(30))
        return try blockDevice(in: text, at: address)
    }

    /// Parses the output of `guest.sh find-store`.
    ///
    /// - Parameters:
    ///   - text: Its output.
    ///   - address: The store's address in the OS VM's physical address space.
    /// - Returns: Its device file in the OS VM, such as `/dev/pmem0`.
    /// - Throws: ``HypervisorError`` when the output names no block device.
    package static func blockDevice(in text: String, at address: UInt64) throws(HypervisorError) -> String {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 1, isDiskName(words[0]) else {
            throw HypervisorError(
                "the OS VM has no block device for the image store at \(hexadecimal(address))",
                remedy: "Use an image whose kernel has NFIT and ND_PMEM: scripts/build-hypervisor-image builds one.",
                evidence: text.split(whereSeparator: \.isNewline).suffix(6).map(String.init))
        }
        return "/dev/\(words[0])"
    }

    /// Returns whether this is a name such as `pmem0`; it becomes part of a path and of a script.
    private static func isDiskName(_ name: Substring) -> Bool {
        let number = name.dropFirst("pmem".count).utf8
        return name.hasPrefix("pmem") && (1...16).contains(number.count)
            && number.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
