internal import Glibc
internal import JSON
internal import Linux
internal import QEMUCommandLine
internal import QMP

/// Tests whether a QEMU that starts and waits for a guest leaves its shared memory unchanged.
///
/// The new QEMU starts while the guest still runs in the same memory. Some devices clear or write theirs at that
/// moment: virtio-mem until QEMU 8.1, `-device loader` with data. The test starts the same binary with such devices on
/// memory of our own; the version does not matter.
struct StartProbe: Sendable {
    /// A device to test, and its memory.
    struct Device: Sendable, Hashable {
        /// Its option; the probe sets its memory.
        var properties: OptionProperties
        /// The backend that it names as `memdev`; nil for a device that uses the guest's RAM.
        var memory: String?
        /// The size of that memory, in bytes.
        var size: UInt64 = 0

        var driver: String { properties["driver"] ?? "" }
    }

    var binary: QEMUBinary
    let machineType: String
    /// The value of `-m`, with slots and the maximum size.
    let memoryOption: String?
    /// The size of the guest's RAM in bytes, without plugged memory.
    let memorySize: UInt64
    let devices: [Device]

    /// The time limit for the start, for a busy host.
    private static let deadline = Duration.seconds(20)
    /// The size of a pattern, one page; a device clears at least one.
    private static let pageSize = 4096
    /// The number of patterns in each memory.
    private static let places = 64

    /// Returns the devices of a guest that may change shared memory at start; empty if there is nothing to test.
    static func devices(of options: [CommandLineOption], backends: [MemoryBackend]) -> [Device] {
        let sizes = Dictionary(backends.map { ($0.id, $0.size) }, uniquingKeysWith: { first, _ in first })
        return options.filter { $0.name == "device" }.compactMap { option in
            guard let properties = option.properties else { return nil }
            if let memory = properties["memdev"] {
                // Other checks refuse memory that is not shared, or does not exist.
                return sizes[memory].map { Device(properties: properties, memory: memory, size: $0) }
            }
            return properties["driver"] == "loader" ? Device(properties: properties, memory: nil) : nil
        }
    }

    /// Starts the binary, and returns what that changed, one line for each memory.
    ///
    /// - Parameters:
    ///   - credentials: the credentials to start it with; nil for ours.
    ///   - environment: variables in addition to ours.
    /// - Returns: the changes; empty if all memory is unchanged.
    /// - Throws: ``QEMUProbeError`` if it did not start; `SystemError`.
    func run(credentials: ProcessCredentials?, environment: [String: String]) async throws -> [String] {
        let ram = try Memory("ram", name: "the guest's RAM", size: memorySize)
        var memories = [ram]
        for (index, device) in devices.enumerated() {
            guard let memory = device.memory else { continue }
            memories.append(try Memory("dev\(index)", name: "\(memory) (\(device.driver))", size: device.size))
        }
        var environment = environment
        if let modules = binary.moduleDirectory { environment[ModuleDirectory.variable] = modules }
        let process = try ProbeProcess(
            binary.path, credentials: credentials, environment: environment, machine: arguments(memories),
            inherited: memories.map(\.file))
        defer { process.end() }
        // QEMU sends its greeting after the machine is created and reset.
        let client = try await process.connect(within: Self.deadline)
        defer { client.close() }
        _ = try await client.execute(QueryStatus())
        return try memories.compactMap { memory in try memory.change.map { "\(memory.name): \($0)" } }
    }

    private func arguments(_ memories: [Memory]) -> [String] {
        let needsNVDIMM = devices.contains { $0.driver == "nvdimm" }
        var arguments = [
            "-machine", "\(machineType),memory-backend=ram" + (needsNVDIMM ? ",nvdimm=on" : ""),
            "-m", memoryOption ?? "\(memorySize)B", "-incoming", "defer",
        ]
        arguments += binary.firmwareDirectories.flatMap { ["-L", $0] }
        for (index, memory) in memories.enumerated() {
            let number = ProbeProcess.firstInherited + Int32(index)
            arguments += [
                "-object",
                "memory-backend-file,id=\(memory.id),size=\(memory.size),mem-path=/proc/self/fd/\(number),share=on",
            ]
        }
        for (index, device) in devices.enumerated() {
            var properties = device.properties
            properties.remove("id")
            if device.memory != nil {
                // The device's address does not matter; a loader's `addr` is where it writes.
                properties.remove("bus", "addr", "node", "slot", "romfile", "bootindex", "multifunction")
                properties.set("memdev", "dev\(index)")
            }
            arguments += ["-device", properties.text]
        }
        return arguments
    }

    /// Memory of our own: holes, with a pattern at some offsets.
    private final class Memory: Sendable {
        let id: String
        let name: String
        let size: UInt64
        let file: SharedMemory

        init(_ id: String, name: String, size: UInt64) throws(SystemError) {
            self.id = id
            self.name = name
            self.size = size
            file = try SharedMemory(size: size)
            for offset in Self.offsets(size) { try file.write(Self.pattern, at: offset) }
        }

        /// The first change since its creation; nil if there is none.
        var change: String? {
            get throws(SystemError) {
                let places = Set(Self.offsets(size))
                for offset in places.sorted() where try file.read(at: offset, count: pageSize) != Self.pattern {
                    return "changed at 0x\(String(offset, radix: 16))"
                }
                for offset in try file.writtenPages(of: UInt64(pageSize)) where !places.contains(offset) {
                    guard try file.read(at: offset, count: pageSize).contains(where: { $0 != 0 }) else { continue }
                    return "written at 0x\(String(offset, radix: 16))"
                }
                return nil
            }
        }

        private static let pattern = [UInt8](repeating: 0xA5, count: pageSize)

        /// Returns offsets spread over the whole memory, including the first and the last page.
        private static func offsets(_ size: UInt64) -> [UInt64] {
            let page = UInt64(pageSize)
            let last = size / page == 0 ? 0 : size / page - 1
            return Set((0...UInt64(places)).map { last * $0 / UInt64(places) * page }).sorted()
        }
    }
}

extension StartProbe {
    /// Returns the finding for the changes of a test.
    static func finding(_ changes: [String], devices: [String], binary: String) -> Finding {
        let names = Set(devices).sorted().joined(separator: ", ")
        guard !changes.isEmpty else {
            return Finding(
                .startChangesMemory, .pass, "the new QEMU leaves the guest's memory unchanged when it starts",
                evidence: devices.isEmpty ? [] : ["tested with \(names) on memory of our own"])
        }
        return Finding(
            .startChangesMemory, .fail,
            "the new QEMU would change the guest's memory at its start, while the guest runs",
            evidence: changes.map { "\($0), in a test on memory of our own" }
                + (names.isEmpty ? [] : ["tested: \(names)"]),
            remedy: "Choose another QEMU with --to (newer ones leave memory of virtio-mem alone), or unplug the device "
                + "(virtio-mem: qom-set its requested-size to 0 first; then device_del).")
    }

    /// Returns the finding for a test that was not possible.
    static func untried(_ reason: String, _ evidence: [String]) -> Finding {
        Finding(
            .startChangesMemory, .fail,
            "cannot test whether the new QEMU leaves the guest's memory unchanged when it starts",
            evidence: [reason] + evidence,
            remedy: "Unplug the device that the new QEMU's message names, or choose another binary (--to).")
    }
}
