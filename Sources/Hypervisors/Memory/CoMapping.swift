/// A guest's memory as one hypervisor sees it: a device DAX on the NVDIMM that this host attached.
public struct MemoryDevice: Sendable, Hashable {
    /// Its device file there, such as `/dev/dax0.0`.
    public let path: String
    /// How many bytes a guest, and the proof behind it, may use.
    public let size: UInt64
}

/// Guest memory in the hands of hypervisors: formatted once, found in each, proven to be the same.
public enum CoMapping {
    /// Makes the NVDIMM at an address a device DAX, in the first hypervisor that sees it.
    ///
    /// `map=mem`: the page structures lie in the hypervisor's own memory. With `map=dev` they would lie in the shared
    /// region, where two kernels would fight over them (ndctl-create-namespace(1)).
    ///
    /// - Parameters:
    ///   - address: Where this host attached it, in the hypervisor's physical address space.
    ///   - agent: The hypervisor's agent.
    /// - Returns: The device.
    /// - Throws: ``HypervisorError``.
    public static func format(
        at address: UInt64, by agent: HypervisorAgent
    ) async throws(HypervisorError) -> MemoryDevice {
        let text = try await agent.run(
            """
            command -v ndctl >/dev/null || { echo "the image has no ndctl" >&2; exit 1; }
            region= tries=0
            while [ -z "$region" ]; do
                for folder in /sys/bus/nd/devices/region*; do
                    [ -r "$folder/resource" ] && [ "$(cat "$folder/resource")" = "$1" ] || continue
                    [ -e "/sys/bus/nd/devices/namespace${folder##*/region}.0" ] && region=${folder##*/region}
                done
                [ -n "$region" ] && break
                tries=$((tries + 1)); [ $tries -lt 100 ] || { echo "no NVDIMM appeared at $1" >&2; exit 1; }
                sleep 0.05
            done
            ndctl create-namespace --force --reconfig="namespace$region.0" --mode=devdax --map=mem >/dev/null

            """ + finding, [hexadecimal(address), hexadecimal(address + MemoryFileShape.infoBlockSize)],
            to: "format guest memory", within: .seconds(60))
        return try device(in: text, at: address)
    }

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
        let text = try await agent.run(
            finding, [hexadecimal(address), hexadecimal(address + MemoryFileShape.infoBlockSize)],
            to: "find guest memory", within: .seconds(30))
        return try device(in: text, at: address)
    }

    /// Prints name and size of the device DAX that begins at `$2`, behind the info block; it appears a moment after the
    /// NVDIMM.
    ///
    /// Numbers differ between hypervisors: the address alone says which one it is.
    private static let finding = """
        tries=0
        while :; do
            for folder in /sys/bus/dax/devices/dax*; do
                [ -r "$folder/resource" ] && [ "$(cat "$folder/resource")" = "$2" ] || continue
                size=$(cat "$folder/size")
                if [ "$size" -gt 0 ] && [ -c "/dev/${folder##*/}" ]; then echo "${folder##*/} $size"; exit 0; fi
            done
            tries=$((tries + 1)); [ $tries -lt 200 ] || { echo "no device DAX appeared at $2" >&2; exit 1; }
            sleep 0.05
        done
        """

    private static func device(in text: String, at address: UInt64) throws(HypervisorError) -> MemoryDevice {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let size = UInt64(words[1]) else {
            throw HypervisorError(
                "the memory at \(hexadecimal(address)) is no device DAX in the hypervisor",
                remedy: "Its image needs ndctl and a kernel with NFIT and DEV_DAX (scripts/build-hypervisor-image).",
                evidence: text.split(whereSeparator: \.isNewline).suffix(6).map(String.init))
        }
        return MemoryDevice(path: "/dev/\(words[0])", size: size)
    }

    private static func hexadecimal(_ address: UInt64) -> String { "0x" + String(address, radix: 16) }
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
            "daxio --output=\"$1\" --seek=\"$2\" --len=\"$3\" >/dev/null",
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
            "daxio --input=\"$1\" --skip=\"$2\" --len=\"$3\"", [device.path, "\(offset)", "\(length)"],
            to: "read behind guest memory")
    }
}
