/// A guest's memory as one hypervisor sees it: a device DAX on the NVDIMM that this host attached.
public struct MemoryDevice: Sendable, Hashable {
    /// Its device file there, such as `/dev/dax0.0`.
    public let path: String
    /// How many bytes a guest, and the proof behind it, may use.
    public let size: UInt64
}

/// Guest memory in the hands of hypervisors: found in each by its address, proven to be the same.
///
/// It is formatted once, from outside, when the file is made (``DAXInfoBlock``): each hypervisor finds a device DAX.
public enum CoMapping {
    /// Finds the device at an address, in a hypervisor to which formatted memory was attached.
    ///
    /// - Parameters:
    ///   - address: Where this host attached it, in the hypervisor's physical address space.
    ///   - agent: The hypervisor's agent.
    /// - Returns: The device.
    /// - Throws: ``HypervisorError``.
    public static func find(
        at address: UInt64, by agent: HypervisorAgent
    ) async throws(HypervisorError) -> MemoryDevice {
        try device(
            in: try await agent.run(
                verb: "find-memory", [place(of: address)], to: "find guest memory", within: .seconds(30)), at: address)
    }

    /// What the kernel calls the place of memory that this host attached at an address: it begins behind its info block.
    static func place(of address: UInt64) -> String { hexadecimal(address &+ MemoryFileShape.infoBlockSize) }

    static func device(in text: String, at address: UInt64) throws(HypervisorError) -> MemoryDevice {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, isDeviceName(words[0]), let size = UInt64(words[1]) else {
            throw HypervisorError(
                "the memory at \(hexadecimal(address)) is no device DAX in the hypervisor",
                remedy: "Its kernel needs NFIT and DEV_DAX, as that of scripts/build-hypervisor-image has.",
                evidence: text.split(whereSeparator: \.isNewline).suffix(6).map(String.init))
        }
        return MemoryDevice(path: "/dev/\(words[0])", size: size)
    }

    /// Whether it is a name such as `dax0.0`: it becomes part of a path and of a command line.
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
    /// Writes a word behind the guest's memory.
    ///
    /// - Parameters:
    ///   - word: Ordinary characters, at most 64.
    ///   - device: The memory.
    ///   - offset: Where, from the device's begin, in bytes.
    ///   - agent: The hypervisor's agent.
    /// - Throws: ``HypervisorError``.
    public static func write(
        _ word: String, into device: MemoryDevice, at offset: UInt64, by agent: HypervisorAgent
    ) async throws(HypervisorError) {
        try await agent.run(
            verb: "write-memory",
            [device.path, "\(offset)", "\(word.utf8.count)"], input: Array(word.utf8), to: "write behind guest memory")
    }

    /// Reads a word behind the guest's memory.
    ///
    /// - Parameters:
    ///   - length: In bytes.
    ///   - device: The memory.
    ///   - offset: Where, from the device's begin, in bytes.
    ///   - agent: The hypervisor's agent.
    /// - Returns: The word.
    /// - Throws: ``HypervisorError``.
    public static func read(
        length: Int, from device: MemoryDevice, at offset: UInt64, by agent: HypervisorAgent
    ) async throws(HypervisorError) -> String {
        try await agent.run(
            verb: "read-memory", [device.path, "\(offset)", "\(length)"],
            to: "read behind guest memory")
    }
}
