extension CoMapping {
    /// Finds the disk at an address, in an OS VM to which an image store was attached.
    ///
    /// - Parameters:
    ///   - address: Where this host attached it, in the OS VM's physical address space.
    ///   - agent: The OS VM's agent.
    /// - Returns: Its device file there, such as `/dev/pmem0`.
    /// - Throws: ``HypervisorError``.
    public static func findBlockDevice(
        at address: UInt64, by agent: HypervisorAgent
    ) async throws(HypervisorError) -> String {
        let text = try await agent.run(
            verb: "find-store", [place(of: address)], to: "find the image store", within: .seconds(30))
        return try blockDevice(in: text, at: address)
    }

    /// Reads what `guest.sh find-store` printed.
    ///
    /// - Parameters:
    ///   - text: Its output.
    ///   - address: Where this host attached the store.
    /// - Returns: Its device file there, such as `/dev/pmem0`.
    /// - Throws: ``HypervisorError`` when it is none.
    public static func blockDevice(in text: String, at address: UInt64) throws(HypervisorError) -> String {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 1, isDiskName(words[0]) else {
            throw HypervisorError(
                "the image store at \(hexadecimal(address)) is no disk in the OS VM",
                remedy: "Its kernel needs NFIT and ND_PMEM, as that of scripts/build-hypervisor-image has.",
                evidence: text.split(whereSeparator: \.isNewline).suffix(6).map(String.init))
        }
        return "/dev/\(words[0])"
    }

    /// Whether it is a name such as `pmem0`: it becomes part of a path and of a script.
    private static func isDiskName(_ name: Substring) -> Bool {
        let number = name.dropFirst("pmem".count).utf8
        return name.hasPrefix("pmem") && (1...16).contains(number.count)
            && number.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
