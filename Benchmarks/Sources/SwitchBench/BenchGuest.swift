import CanaryTesting
import Glibc
import Linux
import QMP

/// A canary guest whose first QEMU the benchmark starts; after a handover it runs on another QEMU.
final class BenchGuest {
    /// The kind of its memory.
    enum Memory: String {
        /// A file that the next QEMU can map, too.
        case file
        /// Anonymous memory of its QEMU alone, QEMU's default.
        case anonymous
    }

    let shape: GuestShape
    let memory: Memory
    let beats: BeatReceiver
    /// The QEMU that runs it now.
    var process: ProcessIdentity

    private let tools: Tools
    private let directory: String
    private let memoryFile: String

    /// Starts its first QEMU.
    init(_ shape: GuestShape, memory: Memory, tools: Tools, scratch: Scratch) throws {
        self.shape = shape
        self.memory = memory
        self.tools = tools
        let name = "\(shape.memoryName)-\(shape.load.rawValue)-\(memory.rawValue)"
        directory = "\(scratch.directory)/\(name)"
        memoryFile = "\(scratch.memoryDirectory)/\(name)"
        beats = try BeatReceiver()
        try Files.createDirectory(directory, mode: 0o700)
        if memory == .file {
            let file = try Descriptor.open(memoryFile, flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
            guard ftruncate(file.number, shape.memoryMiB << 20) == 0 else {
                throw SystemError(operation: "ftruncate", subject: memoryFile, code: errno)
            }
        }
        let arguments = Self.arguments(
            shape, memory: memory, tools: tools, directory: directory, memoryFile: memoryFile, beatPort: beats.port)
        process = try Self.spawn(arguments, in: directory)
        baseArguments = arguments
    }

    private let baseArguments: [String]

    /// The monitor socket of its current QEMU.
    var monitorPath: String { "\(directory)/qmp.sock" }

    /// Returns a monitor socket for the next QEMU, until it takes over the lasting name.
    func temporaryMonitorPath() -> String {
        let digits = String(UInt32.random(in: 0...UInt32.max), radix: 16)
        return "\(monitorPath).hf-\(String(repeating: "0", count: 8 - digits.count))\(digits)"
    }

    /// Starts a QEMU that waits for this guest.
    ///
    /// - Parameters:
    ///   - monitorPath: The path of its monitor socket.
    ///   - paused: Whether it leaves the guest paused after the handover.
    /// - Returns: The process.
    /// - Throws: `SystemError` if it cannot be started.
    func startSuccessor(monitorPath: String, paused: Bool) throws -> ProcessIdentity {
        var arguments = baseArguments + ["-incoming", "defer"] + (paused ? ["-S"] : [])
        for index in arguments.indices where arguments[index].hasPrefix("unix:\(self.monitorPath),") {
            arguments[index] = "unix:\(monitorPath),server=on,wait=off"
        }
        return try Self.spawn(arguments, in: directory)
    }

    /// Kills the old QEMU, which therefore does not clean up, and renames the new one's socket to the lasting name.
    func succeed(with successor: ProcessIdentity, monitorPath temporary: String) async throws {
        let old = try ProcessHandle(process)
        try old.signal(SIGKILL)
        guard await old.waitForExit(within: .seconds(10)) else { throw BenchError("\(process) does not exit") }
        guard rename(temporary, monitorPath) == 0 else {
            throw SystemError(operation: "rename", subject: monitorPath, code: errno)
        }
        process = successor
    }

    /// Ends the guest.
    func end() async {
        if let handle = try? ProcessHandle(process), (try? handle.signal(SIGKILL)) != nil {
            _ = await handle.waitForExit(within: .seconds(10))
        }
        unlink(memoryFile)
    }

    /// Resumes or stops its vCPU; the QEMU of a paused guest uses no CPU.
    func setRunning(_ running: Bool) async throws {
        let client = try await QMPClient.connect(path: monitorPath)
        defer { client.close() }
        if running { try await client.execute(Cont()) } else { try await client.execute(Stop()) }
    }

    /// Returns the canary's last report.
    func report() throws -> CanaryReport {
        let bytes = try Files.readAll("\(directory)/serial.log", limit: 64 << 20)
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let report = lines.lazy.reversed().compactMap({ CanaryReport(line: $0) }).first else {
            throw BenchError("the canary has not sent a report yet:\n\(lastWords())")
        }
        return report
    }

    /// Waits until the canary has filled its memory and sends datagrams.
    func waitUntilReady() throws {
        let pages = shape.watchedMiB << 20 / 4096
        for _ in 0..<1200 {
            if let report = try? report(), report.pages == pages, report.pagesVerified > 0, beats.count > 100 { return }
            guard process.isAlive else { break }
            Clock.sleep(milliseconds: 100)
        }
        throw BenchError("the guest \(shape.name) does not start:\n\(lastWords())")
    }

    /// Waits for a number of further datagrams.
    func waitForBeats(_ count: Int) throws {
        guard beats.wait(for: count) else { throw BenchError("the guest \(shape.name) is silent:\n\(lastWords())") }
    }

    private func lastWords() -> String {
        ["qemu.err", "serial.log"].map { name in
            let bytes = (try? Files.readAll("\(directory)/\(name)", limit: 64 << 20)) ?? []
            return "\(name): \(String(decoding: bytes.suffix(1000), as: UTF8.self))"
        }.joined(separator: "\n")
    }

    private static func spawn(_ arguments: [String], in directory: String) throws -> ProcessIdentity {
        let errors = try Descriptor.open("\(directory)/qemu.err", flags: O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
        var request = SpawnRequest(executable: arguments[0], arguments: arguments, environment: ["PATH=/usr/bin:/bin"])
        request.workingDirectory = directory
        request.descriptors = [.init(source: errors.number, number: 2)]
        return try Linux.spawn(request)
    }

    private static func arguments(
        _ shape: GuestShape, memory: Memory, tools: Tools, directory: String, memoryFile: String, beatPort: UInt16
    ) -> [String] {
        let size = "\(shape.memoryMiB)M"
        let backend =
            memory == .file
            ? ["-object", "memory-backend-file,id=ram0,size=\(size),mem-path=\(memoryFile),share=on"] : []
        let words = [
            "quiet", "loglevel=0", "console=tty0", "canary.memory=\(shape.watchedMiB)M",
            "canary.dirty=\(shape.load.pace)",
            "canary.disk=none", "canary.ip=10.0.2.15/24", "canary.beat=10.0.2.2:\(beatPort)",
        ]
        return [
            memory == .file ? tools.qemu : tools.precopyQEMU, "-name", "\(shape.memoryName)-\(shape.load.rawValue)",
            "-nodefaults", "-display", "none",
            "-accel", "tcg", "-machine", "pc-q35-7.2\(memory == .file ? ",memory-backend=ram0" : "")", "-m", size,
        ] + backend + [
            "-kernel", tools.kernel, "-initrd", tools.initramfs, "-append", words.joined(separator: " "),
            // Two QEMUs have it open at the same time, and it is never truncated.
            "-chardev", "file,id=serial0,path=\(directory)/serial.log,append=on", "-serial", "chardev:serial0",
            "-netdev", "user,id=net0", "-device", "virtio-net-pci,netdev=net0,romfile=",
            "-qmp", "unix:\(directory)/qmp.sock,server=on,wait=off",
        ]
    }
}
