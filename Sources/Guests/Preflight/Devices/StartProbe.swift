internal import Glibc
internal import JSON
internal import Linux
internal import QMP

/// Tries whether a QEMU that starts and waits for a guest leaves the memory that it shares as it is.
///
/// The new QEMU starts while the guest still runs in the same memory. Some devices empty or write theirs at that moment:
/// virtio-mem until QEMU 8.1, `-device loader` with data. Which do is found by starting the very binary with such devices
/// on memory of ours, never by its version.
struct StartProbe: Sendable {
    /// A device to try, and the memory that it is given.
    struct Device: Sendable, Hashable {
        /// Its option, with the place of its memory left to the probe.
        var properties: OptionProperties
        /// The backend that it names as `memdev`; nil for a device that uses the guest's RAM.
        var memory: String?
        /// How much memory that is, in bytes.
        var size: UInt64 = 0

        var driver: String { properties["driver"] ?? "" }
    }

    var binary: QEMUBinary
    let machineType: String
    /// The value of `-m`, with slots and the largest size.
    let memoryOption: String?
    /// The guest's RAM in bytes, without what is plugged.
    let memorySize: UInt64
    let devices: [Device]

    /// How long the start may take on a busy host.
    private static let deadline = Duration.seconds(20)
    /// The page of a pattern; a device empties at least one.
    private static let pageSize = 4096
    /// In how many places of each memory the pattern stands.
    private static let places = 64

    /// The devices of a guest that may change shared memory when they start; empty where there is nothing to try.
    static func devices(of options: [CommandLineOption], backends: [MemoryBackend]) -> [Device] {
        let sizes = Dictionary(backends.map { ($0.id, $0.size) }, uniquingKeysWith: { first, _ in first })
        return options.filter { $0.name == "device" }.compactMap { option in
            guard let properties = option.properties else { return nil }
            if let memory = properties["memdev"] {
                // Memory that is not shared, or is not there, is refused for its own sake.
                return sizes[memory].map { Device(properties: properties, memory: memory, size: $0) }
            }
            return properties["driver"] == "loader" ? Device(properties: properties, memory: nil) : nil
        }
    }

    /// What a start changed, a line each.
    ///
    /// - Parameters:
    ///   - credentials: the rights to start it with; nil for ours.
    ///   - environment: variables beside ours.
    /// - Returns: nothing where all memory was as before.
    /// - Throws: ``QEMUProbeError`` where it did not start; `SystemError`.
    func run(credentials: ProcessCredentials?, environment: [String: String]) async throws -> [String] {
        let ram = try Memory("ram", name: "the guest's RAM", size: memorySize)
        var memories = [ram]
        for (index, device) in devices.enumerated() {
            guard let memory = device.memory else { continue }
            memories.append(try Memory("dev\(index)", name: "\(memory) (\(device.driver))", size: device.size))
        }
        var environment = environment
        if let modules = binary.moduleDirectory { environment["QEMU_MODULE_DIR"] = modules }
        let process = try ProbeProcess(
            binary.path, credentials: credentials, environment: environment, machine: arguments(memories),
            inherited: memories.map(\.file))
        defer { process.end() }
        // Its monitor greets once the machine is made and reset.
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
                // Where it sits does not matter; a loader's `addr` is where it writes.
                properties.remove("bus", "addr", "node", "slot", "romfile", "bootindex", "multifunction")
                properties.set("memdev", "dev\(index)")
            }
            arguments += ["-device", properties.text]
        }
        return arguments
    }

    /// Memory of ours: holes, with a pattern here and there.
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

        /// What is not as it was made; nil where all is.
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

        /// Spread over the whole, the first and the last page among them.
        private static func offsets(_ size: UInt64) -> [UInt64] {
            let page = UInt64(pageSize)
            let last = size / page == 0 ? 0 : size / page - 1
            return Set((0...UInt64(places)).map { last * $0 / UInt64(places) * page }).sorted()
        }
    }
}

extension StartProbe {
    /// What follows from a try.
    static func finding(_ changes: [String], devices: [String], binary: String) -> Finding {
        let names = Set(devices).sorted().joined(separator: ", ")
        guard !changes.isEmpty else {
            return Finding(
                .startChangesMemory, .pass, "the new QEMU leaves the guest's memory as it is when it starts",
                evidence: devices.isEmpty ? [] : ["tried with \(names) on memory of our own"])
        }
        return Finding(
            .startChangesMemory, .fail,
            "the new QEMU would change the guest's memory by starting, while the guest runs",
            evidence: changes.map { "\($0), in a try on memory of our own" }
                + (names.isEmpty ? [] : ["tried: \(names)"]),
            remedy: "Choose a QEMU that does not (--to; with virtio-mem newer ones do not), or unplug the device "
                + "(virtio-mem: qom-set its requested-size to 0 first; then device_del).")
    }

    /// That it could not be tried.
    static func untried(_ reason: String, _ evidence: [String]) -> Finding {
        Finding(
            .startChangesMemory, .fail,
            "it could not be tried whether the new QEMU leaves the guest's memory as it is when it starts",
            evidence: [reason] + evidence,
            remedy: "Unplug the device that the new QEMU's words name, or choose another binary (--to).")
    }
}
