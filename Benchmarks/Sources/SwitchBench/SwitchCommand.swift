import ArgumentParser
import Foundation

/// The command `switch-bench switch`.
struct SwitchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switch",
        abstract: "Compare hyperfresh with the minimal QMP sequence and with ordinary pre-copy migration.",
        discussion: """
            All methods take turns in one run. Each kind of guest is booted twice: on a memory file for hyperfresh and the \
            floor, on anonymous memory for pre-copy. One of the two is always paused.
            """
    )

    @OptionGroup var tools: ToolOptions

    @Option(help: "The number of handovers by each method for each idle guest.")
    var rounds = 50

    @Option(help: "The number of handovers by each method for each dirtying guest.")
    var dirtyingRounds = 20

    @Option(help: "Pre-copy takes part only in every Nth round.")
    var precopyEvery = 5

    @Option(
        help: ArgumentHelp("Guest memory in MiB.", valueName: "size,..."),
        transform: ListArgument.numbers(128...1 << 20))
    var sizes = [256, 1024, 4096, 8192]

    @Option(
        help: ArgumentHelp("Idle guests, dirtying ones, or both.", valueName: "load,..."), transform: ListArgument.words
    )
    var loads = GuestShape.Load.allCases

    @Option(help: ArgumentHelp("hyperfresh, floor, precopy.", valueName: "method,..."), transform: ListArgument.words)
    var methods = Method.allCases

    @Flag(help: "Two small guests and few rounds: a short test of the benchmark, about a minute.")
    var quick = false

    @Option(help: ArgumentHelp("The output file for all samples.", valueName: "file"))
    var output: String?

    func run() async throws {
        try await Scratch.use { try await run(in: $0) }
    }

    private func run(in scratch: Scratch) async throws {
        let places = try tools.checked()
        var results = SwitchResults(
            date: ISO8601DateFormatter().string(from: Date()),
            machine: try MachineFacts(tools: places, scratch: scratch),
            arguments: CommandLine.argumentsWithoutOutput)
        let run = SwitchRun(
            shapes: loads.flatMap { load in
                (quick ? [256, 1024] : sizes).map { GuestShape(memoryMiB: $0, load: load) }
            },
            methods: methods, rounds: quick ? [.idle: 5, .dirtying: 5] : [.idle: rounds, .dirtying: dirtyingRounds],
            precopyEvery: precopyEvery, tools: places, scratch: scratch)
        try await results.measure(savingTo: output) { results, _ in try await run.run(into: &results) }
        print(SwitchReport(results).text)
    }
}

/// The paths of the programs.
struct ToolOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The release build of hyperfresh.", valueName: "path"))
    var hyperfresh = ".build/release/hyperfresh"

    @Option(help: ArgumentHelp("Both the old and the new QEMU.", valueName: "path"))
    var qemu = "/usr/bin/qemu-system-x86_64"

    @Option(
        help: ArgumentHelp(
            "Both sides of a pre-copy migration. After one on QEMU 7.2 the dirtying canary hangs or restarts.",
            valueName: "path"))
    var precopyQemu = "\(Self.cache)/qemu-10.0/qemu-system-x86_64"

    @Option(help: ArgumentHelp("The folder of the canary's vmlinuz and initramfs.gz.", valueName: "folder"))
    var canary = "\(Self.cache)/canary"

    /// The folder with the downloads and builds of the scripts.
    static let cache = ProcessInfo.processInfo.environment["HYPERFRESH_CACHE"] ?? ".cache"

    func checked() throws -> Tools {
        let tools = Tools(
            qemu: qemu, precopyQEMU: absolute(precopyQemu), kernel: absolute("\(canary)/vmlinuz"),
            initramfs: absolute("\(canary)/initramfs.gz"),
            hyperfresh: absolute(hyperfresh))
        for path in [tools.qemu, tools.precopyQEMU, tools.kernel, tools.initramfs, tools.hyperfresh]
        where !FileManager.default.fileExists(atPath: path) {
            throw BenchError("\(path) does not exist: run scripts/bench, which builds what is needed")
        }
        return tools
    }

    private func absolute(_ path: String) -> String { URL(fileURLWithPath: path).path }
}
