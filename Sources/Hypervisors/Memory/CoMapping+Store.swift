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
            findingBlockDevice(at: address), to: "find the image store", within: .seconds(30))
        return try blockDevice(in: text, at: address)
    }

    /// Shell lines that print the name of the disk behind the info block of an NVDIMM; it appears a moment after that.
    ///
    /// Numbers differ between OS VMs: the address alone says which one it is.
    ///
    /// - Parameter address: Where this host attached it.
    /// - Returns: For `/bin/sh -eu`; one line of output, for ``blockDevice(in:at:)``.
    public static func findingBlockDevice(at address: UInt64) -> String {
        """
        wanted=\(hexadecimal(address &+ MemoryFileShape.infoBlockSize))
        tries=0
        while :; do
            for folder in /sys/bus/nd/devices/pfn*/block/pmem*; do
                place=${folder%/block/*}/resource
                # One that is not set up yet has a place, but no word for it.
                [ -r "$place" ] && [ "$(cat "$place" 2>/dev/null)" = "$wanted" ] || continue
                [ -b "/dev/${folder##*/}" ] || continue
                echo "${folder##*/}"; break 2
            done
            tries=$((tries + 1)); [ $tries -lt 200 ] || { echo "no disk appeared at $wanted" >&2; exit 1; }
            sleep 0.05
        done
        """
    }

    /// Reads what ``findingBlockDevice(at:)`` made the OS VM say.
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
