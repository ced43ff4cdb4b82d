import ArgumentParser
import Foundation
import Glibc
import JSON
import Linux
import QMP

/// The command `switch-bench cli`.
struct CLICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cli",
        abstract: "Measure how fast the command line starts, what memory it takes, and `list` over many QEMUs."
    )

    @OptionGroup var tools: ToolOptions

    @Option(help: "The number of QEMUs to list.")
    var qemus = 50

    @Option(help: "The number of measurements of each call.")
    var rounds = 50

    @Option(help: ArgumentHelp("The output file for all samples.", valueName: "file"))
    var output: String?

    /// The name of the call for which the program is read from disk.
    static let uncached = "--version, not in the page cache"

    func run() async throws {
        try await Scratch.use { try await run(in: $0) }
    }

    private func run(in scratch: Scratch) async throws {
        let places = try tools.checked()
        let machine = try MachineFacts(tools: places, scratch: scratch)
        let bench = CLIBench(executable: places.hyperfresh, scratch: scratch, rounds: rounds)
        var calls = [
            try bench.measure("--version", ["--version"]),
            try bench.measure(Self.uncached, ["--version"], evicting: true),
            try bench.measure("list", ["list", "--json"]),
        ]
        let herd = try await Herd(count: qemus, qemu: places.qemu, scratch: scratch)
        try bench.check(herd)
        calls.append(try bench.measure("list, \(qemus) QEMUs", ["list", "--json"]))
        let results = CLIResults(
            date: ISO8601DateFormatter().string(from: Date()), machine: machine, qemus: qemus, calls: calls)
        print(results.table.text)
        if let output { try ResultFile.write(results, to: output) }
    }
}

/// Measures the command line.
struct CLIBench {
    let executable: String
    let scratch: Scratch
    let rounds: Int

    /// Measures one call many times.
    ///
    /// - Parameters:
    ///   - name: The call's name in the results.
    ///   - arguments: The call's arguments.
    ///   - evicting: Whether to evict the program from the page cache before each call.
    /// - Returns: Durations and peak memory.
    /// - Throws: ``BenchError`` if it fails.
    func measure(_ name: String, _ arguments: [String], evicting: Bool = false) throws -> CLIResults.Call {
        let command = ChildProcess(executable: executable, arguments: arguments)
        var durations: [Int] = []
        var peaks: [Int] = []
        for round in 0..<rounds {
            if evicting { try evict() }
            // Watching disturbs the timing: memory is measured in separate rounds.
            let isForMemory = round % 10 == 9
            let outcome = try command.run(in: scratch, watchesMemory: isForMemory)
            guard outcome.status == 0 else { throw BenchError("hyperfresh \(name): \(outcome.errors)") }
            if isForMemory {
                peaks += outcome.peakKibibytes.map { [$0] } ?? []
            } else {
                durations.append(outcome.wallMicroseconds)
            }
            Progress.show("\(name): \(round + 1) of \(rounds)")
        }
        Progress.clear()
        return CLIResults.Call(name: name, wallMicroseconds: durations, peakKibibytes: peaks)
    }

    /// Checks that `list` shows the whole herd; otherwise it might be fast because it finds little.
    func check(_ herd: Herd) throws {
        let outcome = try ChildProcess(executable: executable, arguments: ["list", "--json"]).run(in: scratch)
        let items = (try? JSONValue(parsing: outcome.output))?["items"]?.array ?? []
        let seen = Set(items.compactMap { $0["name"]?.string })
        guard herd.names.isSubset(of: seen) else {
            throw BenchError("list shows \(seen.intersection(herd.names).count) of \(herd.names.count) QEMUs")
        }
    }

    private func evict() throws {
        let file = try Descriptor.open(executable, flags: O_RDONLY)
        guard posix_fadvise(file.number, 0, 0, POSIX_FADV_DONTNEED) == 0 else {
            throw SystemError(operation: "posix_fadvise", subject: executable, code: errno)
        }
    }
}

/// QEMUs that do nothing: they are paused before their first instruction.
struct Herd {
    let names: Set<String>

    init(count: Int, qemu: String, scratch: Scratch) async throws {
        let names = (0..<count).map { "herd-\($0)" }
        for name in names {
            let memory = "\(scratch.memoryDirectory)/\(name)"
            let file = try Descriptor.open(memory, flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
            guard ftruncate(file.number, 64 << 20) == 0 else {
                throw SystemError(operation: "ftruncate", subject: memory, code: errno)
            }
            let arguments = [
                qemu, "-name", name, "-nodefaults", "-display", "none", "-accel", "tcg", "-S",
                "-machine", "pc-q35-7.2,memory-backend=ram0", "-m", "64M",
                "-object", "memory-backend-file,id=ram0,size=64M,mem-path=\(memory),share=on",
                "-qmp", "unix:\(scratch.directory)/\(name).qmp,server=on,wait=off",
            ]
            _ = try Linux.spawn(
                SpawnRequest(executable: qemu, arguments: arguments, environment: ["PATH=/usr/bin:/bin"]))
            Progress.show("\(name) starts")
        }
        for name in names { try await Self.awaitMonitor("\(scratch.directory)/\(name).qmp") }
        Progress.clear()
        self.names = Set(names)
    }

    private static func awaitMonitor(_ path: String) async throws {
        for _ in 0..<600 {
            if let client = try? await QMPClient.connect(path: path, greetingDeadline: .seconds(30)) {
                return client.close()
            }
            Clock.sleep(milliseconds: 50)
        }
        throw BenchError("no process listens at \(path)")
    }
}
