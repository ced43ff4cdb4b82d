extension CoMapping {
    /// Finds the block device at an address, in an OS VM to which an image store is attached.
    ///
    /// - Parameters:
    ///   - address: The store's address in the OS VM's physical address space, as set by this host.
    ///   - agent: The OS VM's agent.
    /// - Returns: Its device file in the OS VM, such as `/dev/pmem0`.
    /// - Throws: ``HypervisorError``.
    public static func findBlockDevice(
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
    public static func blockDevice(in text: String, at address: UInt64) throws(HypervisorError) -> String {
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
